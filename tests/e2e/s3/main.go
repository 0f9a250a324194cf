// A small S3 server for tests: buckets in memory, on a free port of S3_ADDRESS, which is the first line that it prints. Every
// request must be signed with the keys in its environment: gofakes3 itself looks at no signature, so what stands before it does.
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"sort"
	"strings"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Every byte but the unreserved ones, and of a path the slash.
func encode(text, keep string) string {
	var out strings.Builder
	for _, c := range []byte(text) {
		if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-._~"+keep, c) >= 0 {
			out.WriteByte(c)
		} else {
			fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	return out.String()
}

func query(values url.Values) string {
	var parts []string
	for name, all := range values {
		for _, value := range all {
			parts = append(parts, encode(name, "")+"="+encode(value, ""))
		}
	}
	sort.Strings(parts)
	return strings.Join(parts, "&")
}

// The Authorization that a request with this body must have, by the names of headers that it says it has signed.
func expected(r *http.Request, body []byte, id, secret string) string {
	given := r.Header.Get("Authorization")
	_, rest, _ := strings.Cut(given, "SignedHeaders=")
	names, _, _ := strings.Cut(rest, ",")
	_, credential, _ := strings.Cut(given, "Credential=")
	credential, _, _ = strings.Cut(credential, ",")
	parts := strings.Split(credential, "/")
	if len(parts) != 5 || !strings.Contains(";"+names+";", ";x-amz-content-sha256;") {
		return "a signature"
	}
	var headers strings.Builder
	for _, name := range strings.Split(names, ";") {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		headers.WriteString(name + ":" + strings.TrimSpace(value) + "\n")
	}
	canonical := strings.Join([]string{r.Method, encode(r.URL.Path, "/"), query(r.URL.Query()), headers.String(), names, digest(body)}, "\n")
	date, region := parts[1], parts[2]
	scope := date + "/" + region + "/s3/aws4_request"
	toSign := "AWS4-HMAC-SHA256\n" + r.Header.Get("X-Amz-Date") + "\n" + scope + "\n" + digest([]byte(canonical))
	key := mac(mac(mac(mac([]byte("AWS4"+secret), date), region), "s3"), "aws4_request")
	return fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s,SignedHeaders=%s,Signature=%s", id, scope, names, hex.EncodeToString(mac(key, toSign)))
}

func main() {
	id, secret := os.Getenv("S3_KEY"), os.Getenv("S3_SECRET")
	backend := s3mem.New()
	if err := backend.CreateBucket("backups"); err != nil {
		log.Fatal(err)
	}
	server := gofakes3.New(backend).Server()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if given := r.Header.Get("Authorization"); given != expected(r, body, id, secret) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, "<Error><Code>SignatureDoesNotMatch</Code><Message>the signature is wrong</Message></Error>")
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		server.ServeHTTP(w, r)
	})
	listener, err := net.Listen("tcp", net.JoinHostPort(os.Getenv("S3_ADDRESS"), "0"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	if cert := os.Getenv("S3_CERT"); cert != "" {
		log.Fatal(http.ServeTLS(listener, handler, cert, os.Getenv("S3_TLS_KEY")))
	}
	log.Fatal(http.Serve(listener, handler))
}
