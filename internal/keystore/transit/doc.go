// Package transit asks the transit secrets engines of Vault and OpenBao.
//
// What it knows of the protocol is a handful of calls: reading a key, using it, and, when something is wrong, the server's health and
// whether the token still is one. The token needs `read` on <mount>/keys/<key>, and `update` on encrypt and decrypt, or sign and verify; it
// should not have `create` on encrypt, with which these servers make a key that is not there.
package transit
