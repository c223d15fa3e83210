// Package auth keeps passwords and makes access tokens: [Hasher] is argon2id,
// [Codes] are the one-time codes of two-factor login, [Signer] is JWT with HS256,
// and [Secret] is the file in which the signing secret is kept.
package auth
