package keystore

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// The law of stores that do not answer.
//
// Nobody can tell anything of the key then, whatever the reason: no sighting made here says more than that. Messages are fixed words, since errors
// of the network hold addresses and ports that differ each time, and an observation is written whenever its message changes.

// Unanswered is the sighting of a store that could not be asked: err is what dialling it, or an exchange with it, ended with.
func Unanswered(err error) Sighting {
	switch {
	case errors.Is(err, errPin):
		return unreachable("the server is not believed: its certificate is valid, and its public key is none of tls.spkiPins")
	case distrusted(err) != "":
		return unreachable("the server is not believed: " + distrusted(err))
	case refusedCertificate(err) != "":
		return Sighting{Outcome: v1alpha1.OutcomeUnauthenticated, Message: "the server does not take the client's certificate (" + refusedCertificate(err) + ")"}
	}
	return unreachable(silence(err))
}

func unreachable(message string) Sighting {
	return Sighting{Outcome: v1alpha1.OutcomeUnreachable, Message: message}
}

// distrusted says why the server's certificate is not believed; "" if that is not what went wrong.
func distrusted(err error) string {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var other *tls.CertificateVerificationError
	switch {
	case errors.As(err, &unknown):
		return "no authority that is trusted vouches for its certificate"
	case errors.As(err, &name):
		return "its certificate is for another name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "its certificate has expired, or is not valid yet"
	case errors.As(err, &other):
		return "its certificate is not valid"
	}
	return ""
}

// refusedCertificate says by which alert the server refused the client's certificate; "" if that is not what went wrong. The library tells alerts by
// their words only. An alert that says nothing of certificates may mean anything, and so is silence.
func refusedCertificate(err error) string {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		return ""
	}
	alert := strings.TrimPrefix(op.Err.Error(), "tls: ")
	if strings.Contains(alert, "certificate") || alert == "access denied" {
		return alert
	}
	return ""
}

// silence says in which way the store did not answer.
func silence(err error) string {
	var dns *net.DNSError
	var op *net.OpError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &dns):
		return "the name of the server cannot be resolved"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "the server did not answer in time"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens at the server's address"
	case errors.As(err, &record):
		return "the server does not speak TLS"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the server ended the connection without an answer"
	case errors.As(err, &op) && op.Op == "remote error":
		return "the server ended the handshake (" + strings.TrimPrefix(op.Err.Error(), "tls: ") + ")"
	}
	return "the server cannot be reached"
}
