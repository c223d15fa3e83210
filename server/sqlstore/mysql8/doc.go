// Package mysql8 checks the store's statements against MySQL 8's grammar, because the
// tests of package sqlstore run on MariaDB if MySQL is not available. It is a module
// of its own, because of its dependencies: run it with make mysql8.
//
// Neither of its two checkers is MySQL. They can show that a statement is wrong, but
// only its grammar and its names can be right.
package mysql8
