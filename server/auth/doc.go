// Package auth hashes passwords and signs access tokens: [Hasher] implements argon2id, [Signer] JWT with HS256, [Codes]
// the one-time codes of two-factor login, and [Usernames] the comparison of usernames. [Secret] reads the file that has
// the signing secret.
package auth
