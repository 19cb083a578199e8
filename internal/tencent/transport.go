package tencent

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxAnswer bounds an answer after decompression; a page of 100 tasks takes about
// 30 KiB.
const maxAnswer = 1 << 20

// transport carries every call. It hands on only answers that are HTTP 200, not
// too long, and read to their end, so that neither the SDK nor net/http follows
// a redirect, unpacks a bomb, or shows a gateway's error page.
type transport struct {
	base *http.Transport
	// plainText lets answers through that are not JSON objects.
	plainText bool
}

func newTransport(proxy func(*http.Request) (*url.URL, error)) *transport {
	// HTTP/2 would put all lanes on one connection, and all of them would hang
	// with it.
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &transport{base: &http.Transport{
		Proxy:                  proxy,
		Protocols:              &protocols,
		DialContext:            (&net.Dialer{Timeout: DefaultTimeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:    DefaultTimeout,
		MaxIdleConnsPerHost:    128,              // 100 calls/s of up to a second each
		IdleConnTimeout:        30 * time.Second, // the cloud closes idle ones after 60 s
		MaxResponseHeaderBytes: 64 << 10,
	}}
}

// RoundTrip implements http.RoundTripper. Its errors are *Error, or the
// network's own.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := t.read(resp)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.ContentLength = int64(len(body))
	// The SDK goes by these headers: it unpacks encodings without a bound, and
	// reads an event stream in a goroutine.
	resp.Header.Del("Content-Encoding")
	resp.Header.Set("Content-Type", "application/json")
	return resp, nil
}

func (t *transport) read(resp *http.Response) ([]byte, error) {
	if resp.StatusCode != http.StatusOK {
		return nil, httpStatusError(resp.StatusCode)
	}
	// net/http has unpacked gzip, the only encoding asked for.
	if encoding := resp.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, unreadable("the answer is compressed in a way that was not asked for")
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, err
	case len(body) > maxAnswer:
		return nil, unreadable("the answer is longer than 1 MiB")
	case !t.plainText && !isObject(body):
		return nil, unreadable("the answer is not a JSON object")
	}
	return body, nil
}

// isObject tells whether body is one JSON object. The SDK panics on null, and its
// own decoder knows no bound on nesting, which json.Valid does.
func isObject(body []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) && json.Valid(body)
}

func unreadable(message string) *Error {
	return &Error{Kind: Unavailable, Code: "UnreadableAnswer", Message: message}
}

// httpStatusError is for any status but 200: API 3.0 answers 200 even to refuse,
// so another status comes from something in between.
func httpStatusError(status int) *Error {
	message := strings.TrimSpace("HTTP status " + strconv.Itoa(status) + " " + http.StatusText(status))
	if 300 <= status && status < 400 {
		message += ", and redirects are not followed"
	}
	return &Error{Kind: Unavailable, Code: "HTTP" + strconv.Itoa(status), Message: message}
}

// networkError says what went wrong on the way, without what is new in each try
// (ports, the time of day) and would change the object's status every time.
func networkError(err error, cred Credential) *Error {
	return &Error{Kind: Unavailable, Code: "NetworkError", Message: cred.clean(networkMessage(err), maxMessage)}
}

func networkMessage(err error) string {
	var (
		dnsErr  *net.DNSError
		certErr x509.CertificateInvalidError
		opErr   *net.OpError
		urlErr  *url.Error
	)
	switch {
	case errors.As(err, &dnsErr):
		if dnsErr.IsNotFound {
			return "look up " + dnsErr.Name + ": no such host"
		}
		return "look up " + dnsErr.Name + ": the name server does not answer"
	case errors.As(err, &certErr) && certErr.Reason == x509.Expired:
		return "the server's certificate has expired or is not yet valid"
	case errors.As(err, &opErr) && opErr.Err != nil:
		return opErr.Op + ": " + networkMessage(opErr.Err)
	case errors.As(err, &urlErr) && urlErr.Err != nil:
		return networkMessage(urlErr.Err)
	}
	return err.Error()
}
