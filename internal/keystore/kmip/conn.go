package kmip

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"syscall"
	"time"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/payloads"
	"github.com/ovh/kmip-go/ttlv"
)

var errVersion = errors.New("the server speaks none of the versions 1.2, 1.3 and 1.4 of KMIP")

// refusal is the server's own word that it does not do what it was asked. Its message stays out: it is in the server's words, which may differ each time.
type refusal struct {
	operation kmip.Operation
	reason    kmip.ResultReason
}

func (r refusal) Error() string {
	return fmt.Sprintf("the server answers %s with %s", nameOf(r.operation), nameOf(r.reason))
}

// nameOf is the specification's word for a value of an enumeration, and the number of one that is not in it.
func nameOf[E ~uint32](value E) string {
	if word := ttlv.EnumStr(value); word != "" {
		return word
	}
	return fmt.Sprintf("0x%08x", uint32(value))
}

// versions are those that are spoken, the best first.
func versions() []kmip.ProtocolVersion {
	return []kmip.ProtocolVersion{kmip.V1_4, kmip.V1_3, kmip.V1_2}
}

// server is where a store is, and as whom to go there.
type server struct {
	address     string
	config      *tls.Config
	credentials *kmip.Authentication // nil: the certificate says it all
}

// conn is a connection to a server, with the version that both speak.
type conn struct {
	net.Conn
	credentials *kmip.Authentication
	version     kmip.ProtocolVersion
}

// connect dials the server and agrees with it upon a version. Servers that do not know a version say so, or end the connection; then a lower one is tried.
func (s server) connect(ctx context.Context) (*conn, error) {
	var last error
	for _, version := range versions() {
		c, err := s.dial(ctx)
		if err != nil {
			return nil, err
		}
		c.version, err = c.agree(ctx, version)
		if err == nil {
			return c, nil
		}
		c.Close()
		var r refusal
		switch {
		case errors.As(err, &r) && r.reason == kmip.ResultReasonInvalidMessage:
			last = errVersion
		case ended(err):
			last = err
		default:
			return nil, err
		}
	}
	return nil, last
}

// ended reports whether the server ended the connection.
func ended(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func (s server) dial(ctx context.Context) (*conn, error) {
	raw, err := (&tls.Dialer{Config: s.config}).DialContext(ctx, "tcp", s.address)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	return &conn{Conn: raw, credentials: s.credentials}, nil
}

// agree asks which versions the server speaks, in this one. A server that understands the question and does not have the operation speaks this one.
func (c *conn) agree(ctx context.Context, version kmip.ProtocolVersion) (kmip.ProtocolVersion, error) {
	c.version = version
	answer, err := exchange[*payloads.DiscoverVersionsResponsePayload](ctx, c, &payloads.DiscoverVersionsRequestPayload{ProtocolVersion: versions()})
	var r refusal
	if errors.As(err, &r) && r.reason == kmip.ResultReasonOperationNotSupported {
		return version, nil
	}
	if err != nil {
		return version, err
	}
	for _, v := range versions() {
		if slices.Contains(answer.ProtocolVersion, v) {
			return v, nil
		}
	}
	return version, errVersion
}

// exchange asks the server one thing. The connection is of no more use after an error that is not a refusal.
func exchange[Answer kmip.OperationPayload](ctx context.Context, c *conn, question kmip.OperationPayload) (Answer, error) {
	var none Answer
	frame, err := c.send(ctx, c.request(question))
	if err != nil {
		return none, err
	}
	message, err := decode(frame)
	if err != nil {
		return none, err
	}
	if len(message.BatchItem) != 1 || message.Header.BatchCount != 1 {
		return none, errGarbage
	}
	item := message.BatchItem[0]
	if item.ResultStatus == kmip.ResultStatusOperationFailed {
		return none, refusal{operation: question.Operation(), reason: item.ResultReason}
	}
	answer, ok := item.ResponsePayload.(Answer)
	if item.ResultStatus != kmip.ResultStatusSuccess || item.Operation != question.Operation() || !ok {
		return none, errGarbage
	}
	return answer, nil
}

func (c *conn) request(question kmip.OperationPayload) []byte {
	message := kmip.NewRequestMessage(c.version, question)
	// Nothing that is asked is worth repeating for anybody, and a clock that is wrong is no reason not to be answered.
	message.Header.TimeStamp = nil
	message.Header.MaximumResponseSize = maxFrame
	message.Header.Authentication = c.credentials
	return ttlv.MarshalTTLV(&message)
}

// send writes a request and reads the answer, and ends when ctx does. The connection is of no more use then: its deadline is over, or is about to be.
func (c *conn) send(ctx context.Context, request []byte) ([]byte, error) {
	deadline, _ := ctx.Deadline() // none is the zero time, which is no deadline to a connection either
	if err := c.SetDeadline(deadline); err != nil {
		return nil, fmt.Errorf("setting a deadline: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	frame, err := c.converse(request)
	if !stop() {
		return nil, ctx.Err()
	}
	return frame, err
}

func (c *conn) converse(request []byte) ([]byte, error) {
	if _, err := c.Write(request); err != nil {
		return nil, fmt.Errorf("asking: %w", err)
	}
	return readFrame(c)
}
