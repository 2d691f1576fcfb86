package queuetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// CA signs the certificates of one test.
type CA struct {
	File string // its own certificate, in PEM
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func caFor(t testing.TB, g Guard) *CA {
	if !g.TLS {
		return nil
	}
	return newCA(t)
}

func newCA(t testing.TB) *CA {
	t.Helper()
	ca := &CA{File: filepath.Join(t.TempDir(), "ca.pem")}
	var der []byte
	ca.key, der = sign(t, nil, &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA of a test"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	var err error
	if ca.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatalf("read the CA's own certificate: %v", err)
	}
	writePEM(t, ca.File, "CERTIFICATE", der)
	return ca
}

// issue writes a certificate for the names and its key into dir.
func (ca *CA) issue(t testing.TB, dir string, names []string) (cert, key string) {
	t.Helper()
	if len(names) == 0 {
		names = []string{"127.0.0.1", "localhost"}
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "redis"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, n)
		}
	}
	private, der := sign(t, ca, tmpl)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePEM(t, cert, "CERTIFICATE", der)
	raw, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatalf("encode a key: %v", err)
	}
	writePEM(t, key, "EC PRIVATE KEY", raw)
	return cert, key
}

// sign makes a key and a certificate for it, signed by ca, or by itself if ca is nil.
func sign(t testing.TB, ca *CA, tmpl *x509.Certificate) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	tmpl.NotBefore, tmpl.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatalf("make a key: %v", err)
	}
	parent, signer := tmpl, key
	if ca != nil {
		parent, signer = ca.cert, ca.key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key.Public(), signer)
	if err != nil {
		t.Fatalf("sign a certificate: %v", err)
	}
	return key, der
}

func writePEM(t testing.TB, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatalf("write %s: %v", file, err)
	}
}

func (ca *CA) roots() *x509.CertPool {
	if ca == nil {
		return nil
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}

// client trusts the CA for whatever name, and shows the server's own certificate if asked for one.
func (ca *CA) client(t testing.TB, dir string) *tls.Config {
	own, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	if err != nil {
		t.Fatalf("load a certificate: %v", err)
	}
	return &tls.Config{RootCAs: ca.roots(), InsecureSkipVerify: true, Certificates: []tls.Certificate{own}}
}
