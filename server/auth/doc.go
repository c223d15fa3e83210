// Package auth keeps passwords and makes access tokens: [Hasher] is argon2id,
// [Signer] is JWT with HS256, and [Secret] is the file in which the signing
// secret is kept.
package auth
