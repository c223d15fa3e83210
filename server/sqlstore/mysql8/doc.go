// Package mysql8 holds the store's statements against MySQL 8's grammar, since
// the tests of package sqlstore run on MariaDB where MySQL itself cannot be had.
// It is a module of its own, for its dependencies: run it with make mysql8.
//
// Neither judge is MySQL. What they refuse is worth a look; what they accept
// shows that the grammar and the names are right, and no more.
package mysql8
