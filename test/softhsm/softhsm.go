// Package softhsm makes tokens of SoftHSM2, a PKCS#11 library in software from Debian's packages, for tests and for the demo to play HSMs with.
package softhsm

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/terroir-dev/terroir/test/packages"
)

// Module is where Debian's package puts the library.
const Module = "/usr/lib/softhsm/libsofthsm2.so"

// Needed are the Debian packages for it, and for building the agent, which loads such libraries and so is written with cgo.
func Needed() []packages.Needed {
	return []packages.Needed{
		{Package: "softhsm2", File: Module},
		{Package: "opensc", File: "pkcs11-tool"},
		{Package: "gcc", File: "gcc"},
		{Package: "libc6-dev", File: "/usr/include/stdio.h"},
	}
}

// Token is a token in a directory of its own.
type Token struct {
	// Config is the configuration file; whoever loads the library finds it through the environment variable SOFTHSM2_CONF.
	Config string
	Label  string
	PIN    string
}

const officerPIN = "81726354" // of the security officer, whom nothing but this package plays

// New makes a token. Whatever tokens were in that directory before are gone: a second one of the same label would be ambiguous.
func New(ctx context.Context, dir, label, pin string) (*Token, error) {
	tokens := filepath.Join(dir, "tokens")
	if err := errors.Join(os.RemoveAll(tokens), os.MkdirAll(tokens, 0o700)); err != nil {
		return nil, fmt.Errorf("making a folder for tokens: %w", err)
	}
	t := &Token{Config: filepath.Join(dir, "softhsm2.conf"), Label: label, PIN: pin}
	config := fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", tokens)
	if err := os.WriteFile(t.Config, []byte(config), 0o600); err != nil {
		return nil, fmt.Errorf("configuring SoftHSM: %w", err)
	}
	return t, t.run(ctx, "softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", officerPIN, "--pin", pin)
}

// Environment is what whoever loads the library needs.
func (t *Token) Environment() string { return "SOFTHSM2_CONF=" + t.Config }

// Key is a secret key to be made.
type Key struct {
	Label string
	ID    byte
	// Extractable keys may leave the token.
	Extractable bool
	// Public ones are seen without a login.
	Public bool
}

// Generate makes an AES key of 256 bits within the token.
func (t *Token) Generate(ctx context.Context, k Key) error {
	args := []string{"--keygen", "--key-type", "AES:32", "--label", k.Label, "--id", hex.EncodeToString([]byte{k.ID}), "--sensitive"}
	if k.Extractable {
		args = slices.DeleteFunc(append(args, "--extractable"), func(a string) bool { return a == "--sensitive" })
	}
	if !k.Public {
		args = append(args, "--private")
	}
	return t.tool(ctx, args...)
}

// Destroy deletes a key.
func (t *Token) Destroy(ctx context.Context, label string) error {
	return t.tool(ctx, "--delete-object", "--type", "secrkey", "--label", label)
}

func (t *Token) tool(ctx context.Context, args ...string) error {
	return t.run(ctx, "pkcs11-tool", append([]string{"--module", Module, "--token-label", t.Label, "--login", "--pin", t.PIN}, args...)...)
}

func (t *Token) run(ctx context.Context, program string, args ...string) error {
	command := exec.CommandContext(ctx, program, args...)
	command.Env = append(os.Environ(), t.Environment())
	out, err := command.CombinedOutput()
	if err != nil {
		return errors.Join(fmt.Errorf("running %s: %w", program, err), errors.New(string(out)))
	}
	return nil
}
