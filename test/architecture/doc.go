// Package architecture holds, as tests, what no compiler checks: who may import whom, that the pure core stays pure, that
// permissions are spelled out, and that documentation points at what exists. It needs the source tree and the go command.
package architecture
