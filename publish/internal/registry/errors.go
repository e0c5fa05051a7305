package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"regexp"
	"strings"
	"syscall"

	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

// What can go wrong, for errors.Is. Their texts are part of those of [Error].
var (
	ErrUnauthorized  = errors.New("unauthorized")
	ErrDenied        = errors.New("denied")
	ErrNoRepository  = errors.New("no such repository")
	ErrNoTag         = errors.New("no such tag")
	ErrNoDigest      = errors.New("no such digest")
	ErrImmutable     = errors.New("the tag may not be moved")
	ErrCertificate   = errors.New("its certificate is not trusted")
	ErrClientCert    = errors.New("it wants a client certificate")
	ErrPlainHTTP     = errors.New("it speaks plain HTTP, and TLS was tried")
	ErrTLS           = errors.New("it speaks TLS, and plain HTTP was tried")
	ErrNoRegistry    = errors.New("no registry answers there")
	ErrDigest        = errors.New("what came does not match its digest")
	ErrDiskFull      = errors.New("the disk is full")
	ErrUnreachable   = errors.New("it cannot be reached")
	ErrBroken        = errors.New("the connection broke")
	ErrTimeout       = errors.New("timed out")
	ErrInterrupted   = errors.New("interrupted")
	ErrTooMany       = errors.New("too many requests")
	ErrTooLarge      = errors.New("too large for it")
	ErrServer        = errors.New("the registry failed")
	ErrNoLayout      = errors.New("no OCI image layout")
	ErrCredentials   = errors.New("the credential helper failed")
	ErrRefused       = errors.New("the registry refuses it")
	ErrOther         = errors.New("failed")
	errNotThere      = errors.New("not found")
	errNoRepository  = errors.New("repository not found")
	errBadLayoutFile = errors.New("not a layout")
)

// Error is a failure with its place, its cause and the way out.
type Error struct {
	Place  string // the registry, folder or file
	Doing  string // such as "read tag 1.0 of team/plugin"
	Fault  error  // one of those above
	Status int    // of HTTP, if there was an answer
	Said   string // by the registry or the system, in its own words
	Do     string // what to do about it
	err    error
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: cannot %s: %v", e.Place, e.Doing, e.Fault)
	switch {
	case e.Status != 0 && e.Said != "":
		fmt.Fprintf(&b, " (HTTP %d: %s)", e.Status, e.Said)
	case e.Status != 0:
		fmt.Fprintf(&b, " (HTTP %d)", e.Status)
	case e.Said != "":
		fmt.Fprintf(&b, " (%s)", e.Said)
	}
	if e.Do != "" {
		b.WriteString("\n" + e.Do)
	}
	return b.String()
}

// Unwrap gives the fault, and what was found underneath.
func (e *Error) Unwrap() []error { return []error{e.Fault, e.err} }

// place is what errors are told about: the registry, not the repository, as the repository is in what was done.
func (r Reference) place() string {
	if r.Kind == Remote {
		return r.Host
	}
	return r.Place()
}

// explain makes an [Error] of what a library returned. c may be nil, where no registry is involved.
func (c *Client) explain(r Reference, doing string, err error) error {
	var done *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &done):
		return done // the other side of a copy failed, and was explained
	}
	e := &Error{Place: r.place(), Doing: doing, err: err}
	clean := (&secrets{}).clean
	if c != nil {
		clean = c.secrets.clean
	}
	var answer *errcode.ErrorResponse
	if errors.As(err, &answer) {
		e.answered(r, answer)
	} else {
		e.broke(r, c, err)
	}
	e.Said = clean(e.Said)
	return e
}

// answered explains what a registry answered with.
func (e *Error) answered(r Reference, answer *errcode.ErrorResponse) {
	e.Status = answer.StatusCode
	codes := map[string]bool{}
	var said []string
	for _, one := range answer.Errors {
		codes[one.Code] = true
		if one.Message != "" {
			said = append(said, one.Message)
		} else {
			said = append(said, one.Code)
		}
	}
	e.Said = strings.Join(said, "; ")
	put := answer.Method == http.MethodPut && strings.Contains(answer.URL.Path, "/manifests/")
	switch {
	case put && immutable(answer.StatusCode, e.Said):
		e.Fault, e.Do = ErrImmutable, "Push under a new tag, or allow the tag to be moved in the registry's settings."
	case e.Status == http.StatusUnauthorized:
		e.Fault, e.Do = ErrUnauthorized, login(r)
	case e.Status == http.StatusForbidden || codes[errcode.ErrorCodeDenied]:
		e.Fault, e.Do = ErrDenied, fmt.Sprintf("Use credentials that may do this in %s; some registries answer so, too, where the repository must be created first.", r.Repository)
	case codes[errcode.ErrorCodeNameUnknown]:
		e.Fault, e.Do = ErrNoRepository, noRepository(r)
	case codes[errcode.ErrorCodeManifestUnknown]:
		e.notThere(r)
	case e.Status == http.StatusNotFound && len(answer.Errors) == 0:
		e.Fault, e.Do = ErrNoRegistry, "Check host and port: what answers there does not speak the registry protocol, or not for this repository."
	case e.Status == http.StatusNotFound:
		e.Fault, e.Do = ErrNoRepository, noRepository(r)
	case e.Status == http.StatusTooManyRequests:
		e.Fault, e.Do = ErrTooMany, "It was asked again and again, as it wished. Wait, then try once more; logging in may raise the limit."
	case e.Status == http.StatusRequestEntityTooLarge:
		e.Fault, e.Do = ErrTooLarge, "Raise the limit for request bodies of the registry or of the proxy before it (nginx: client_max_body_size)."
	case e.Status == http.StatusInsufficientStorage:
		e.Fault, e.Do = ErrDiskFull, "It is the registry's: ask whoever runs it for room."
	case codes[errcode.ErrorCodeDigestInvalid]:
		e.Fault, e.Do = ErrDigest, tampered
	case e.Status >= 500 && passing(e.Status):
		e.Fault, e.Do = ErrServer, "It was asked again and again. Try later, and look into its log."
	default:
		e.Fault = ErrRefused
	}
}

// immutable tells whether a tag could not be moved. Registries have no common code for it, so their words must do.
func immutable(status int, said string) bool {
	return status == http.StatusConflict || status == http.StatusPreconditionFailed || immutableWords.MatchString(said)
}

var immutableWords = regexp.MustCompile(`(?i)immutab|cannot be overwritten|already exists|is locked|write.?enabled`)

func login(r Reference) string {
	return fmt.Sprintf("Log in with: publish login %s (or --username and --password-stdin).", r.Host)
}

func noRepository(r Reference) string {
	return fmt.Sprintf("Check the name %s. To push, create it first where the registry does not do so by itself.", r.Repository)
}

const tampered = "Do not use it. Try again; if it stays so, something between here and the registry changes what passes, or the registry's storage is damaged."

func (e *Error) notThere(r Reference) {
	if r.Digest != "" {
		e.Fault, e.Do = ErrNoDigest, fmt.Sprintf("What there is: publish tags %s", r.Place())
		return
	}
	e.Fault, e.Do = ErrNoTag, fmt.Sprintf("What there is: publish tags %s", r.Place())
}

// broke explains where no answer came, or one that could not be used.
func (e *Error) broke(r Reference, c *Client, err error) {
	var (
		untrusted   *tls.CertificateVerificationError
		wrongHost   x509.HostnameError
		unknown     x509.UnknownAuthorityError
		lookup      *net.DNSError
		operation   *net.OpError
		path        *fs.PathError
		recordError tls.RecordHeaderError
		alert       tls.AlertError
	)
	text := err.Error()
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		e.Fault, e.Do = ErrTimeout, "Raise --timeout, or look why it is slow."
		if c != nil && c.options.Timeout > 0 {
			e.Said = "after " + c.options.Timeout.String()
		}
	case errors.Is(err, context.Canceled):
		e.Fault = ErrInterrupted
	case errors.Is(err, errPlainToTLS), strings.Contains(text, `malformed HTTP response "\x15\x03`):
		e.Fault, e.Do = ErrTLS, "Leave out --plain-http."
	case strings.Contains(text, "server gave HTTP response to HTTPS client"), errors.As(err, &recordError) && string(recordError.RecordHeader[:4]) == "HTTP":
		e.Fault, e.Do = ErrPlainHTTP, "With --plain-http it is spoken to so; credentials can be read on the way then."
	case errors.As(err, &wrongHost):
		e.Fault, e.Said, e.Do = ErrCertificate, wrongHost.Error(), "Use the name that the certificate is for."
	case errors.As(err, &unknown):
		e.Fault, e.Said, e.Do = ErrCertificate, unknown.Error(), "Give the authority that signed it with --ca-file; --insecure takes any, for trials only."
	case errors.As(err, &untrusted):
		e.Fault, e.Said, e.Do = ErrCertificate, untrusted.Err.Error(), "Have it renewed, or check the clock of this machine; --insecure takes any certificate, for trials only."
	case errors.As(err, &alert), strings.Contains(text, "remote error: tls:"):
		e.Fault, e.Said = ErrClientCert, text[strings.LastIndex(text, "tls: "):]
		e.Do = "Give one that it accepts with --cert-file and --key-file."
	case errors.Is(err, auth.ErrBasicCredentialNotFound):
		e.Fault, e.Status, e.Said, e.Do = ErrUnauthorized, http.StatusUnauthorized, "there are no credentials for it", login(r)
	case errors.Is(err, errHelper):
		e.Fault, e.Said, e.Do = ErrCredentials, text, "Run docker-credential-… by hand to see why, or use --username and --password-stdin."
	case errors.Is(err, content.ErrMismatchedDigest), errors.Is(err, content.ErrTrailingData), errors.Is(err, content.ErrInvalidDescriptorSize),
		strings.Contains(text, "mismatch digest"), strings.Contains(text, "digest mismatch in Docker-Content-Digest"), strings.Contains(text, "mismatch Content-Length"), strings.Contains(text, "expected content size of"):
		e.Fault, e.Said, e.Do = ErrDigest, text, tampered
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		e.Fault, e.Do = ErrDiskFull, "Make room, or write somewhere else."
		if errors.As(err, &path) {
			e.Said = path.Path
		}
	case errors.Is(err, errdef.ErrNotFound), errors.Is(err, errNotThere):
		e.notThere(r)
	case errors.Is(err, errNoRepository):
		e.Fault, e.Status, e.Do = ErrNoRepository, http.StatusNotFound, noRepository(r)
	case errors.Is(err, errBadLayoutFile):
		e.Fault, e.Said, e.Do = ErrNoLayout, text, "publish push or publish copy makes one."
	case errors.As(err, &lookup):
		e.Fault, e.Said, e.Do = ErrUnreachable, lookup.Err+": "+lookup.Name, unreachable
	case errors.As(err, &operation) && operation.Op == "dial":
		e.Fault, e.Said, e.Do = ErrUnreachable, operation.Err.Error(), unreachable
	case errors.As(err, &operation) && operation.Op == "proxyconnect", strings.Contains(text, "invalid proxy address"):
		e.Fault, e.Said, e.Do = ErrUnreachable, "the proxy: "+text, "Check HTTPS_PROXY and HTTP_PROXY; NO_PROXY lists hosts that are reached without."
	case broken(err):
		e.Fault, e.Do = ErrBroken, "It was tried again and again. Check the network and what stands between, then repeat the command: nothing is sent twice."
	default:
		e.Fault, e.Said = ErrOther, text
	}
}

const unreachable = "Check host and port, and whether the registry runs. Proxies come from HTTPS_PROXY, HTTP_PROXY and NO_PROXY."
