package pemfile

import (
	"encoding/asn1"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// form is what a person calls something, and what to do where it can't be read.
type form struct {
	kind Kind
	what string
	do   string // empty where it can be read
}

func (f form) refusal() error {
	if f.do == "" {
		return nil
	}
	return fmt.Errorf("it is %s; %s", f.what, f.do)
}

var (
	certificate  = form{Certificate, "a certificate", ""}
	privateKey   = form{PrivateKey, "a private key", ""}
	encryptedKey = form{EncryptedKey, "an encrypted private key", ""}
	request      = form{Request, "a certificate signing request", ""}
	publicKey    = form{PublicKey, "a public key", ""}
	parameters   = form{Parameters, "parameters of a key", ""}
	something    = form{Other, "a block of another type", ""}

	pkcs12 = form{Other, "PKCS#12 (a .p12 or .pfx file)", "write it as PEM first: `openssl pkcs12 -in FILE -nodes -out FILE.pem`"}
	pkcs7  = form{Other, "PKCS#7 (a .p7b or .p7c file)", "write its certificates as PEM first: `openssl pkcs7 -print_certs -in FILE -out FILE.pem`"}
	sshKey = form{Other, "a private key in OpenSSH's own form", "write a copy of it as PEM first: `ssh-keygen -p -m PEM -f COPY`"}
	dsaKey = form{Other, "a DSA key", "no CA issues for one; make an ECDSA or RSA key"}
)

// labels are the types of blocks by their labels: those of RFC 7468, and older ones of OpenSSL's.
var labels = map[string]form{
	"CERTIFICATE": certificate, "X509 CERTIFICATE": certificate, "X.509 CERTIFICATE": certificate, "TRUSTED CERTIFICATE": certificate,
	"PRIVATE KEY": privateKey, "RSA PRIVATE KEY": privateKey, "EC PRIVATE KEY": privateKey, "ANY PRIVATE KEY": privateKey, "ED25519 PRIVATE KEY": privateKey,
	"ENCRYPTED PRIVATE KEY": encryptedKey,
	"CERTIFICATE REQUEST":   request, "NEW CERTIFICATE REQUEST": request,
	"PUBLIC KEY": publicKey, "RSA PUBLIC KEY": publicKey, "EC PUBLIC KEY": publicKey,
	"EC PARAMETERS": parameters, "DH PARAMETERS": parameters, "X9.42 DH PARAMETERS": parameters,
	"PKCS7": pkcs7, "PKCS #7 SIGNED DATA": pkcs7, "CMS": pkcs7, "CERTIFICATE CHAIN": pkcs7,
	"PKCS12": pkcs12, "OPENSSH PRIVATE KEY": sshKey, "DSA PRIVATE KEY": dsaKey,
	"X509 CRL": {Other, "a revocation list", ""},
}

func formOf(label string) form {
	if f, known := labels[strings.TrimSpace(label)]; known {
		return f
	}
	return something
}

var (
	oidSigned    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidData      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidPasswords = []asn1.ObjectIdentifier{{1, 2, 840, 113549, 1, 5}, {1, 2, 840, 113549, 1, 12, 1}} // PKCS#5 and PKCS#12: how keys are encrypted
)

// fromDER says what DER holds by its outermost fields; whether the rest is sound is seen where it
// is used.
func fromDER(der []byte) (Block, bool) {
	var whole asn1.RawValue
	if _, err := asn1.Unmarshal(der, &whole); err != nil || whole.Tag != asn1.TagSequence || !whole.IsCompound {
		return Block{}, false
	}
	f, known := outer(whole.Bytes)
	return Block{f.kind, whole.FullBytes, f}, known
}

// outer tells a structure by its first fields: those of RFC 5280, 4.1; RFC 2986, 4.2; RFC 5958, 2
// and 3; RFC 8017, A.1; RFC 5915, 3; RFC 5652, 3; and RFC 7292, 4.
func outer(body []byte) (form, bool) {
	var first, second asn1.RawValue
	rest, err := asn1.Unmarshal(body, &first)
	if err != nil {
		return form{}, false
	}
	if _, err := asn1.Unmarshal(rest, &second); err != nil {
		return form{}, false
	}
	switch {
	case first.Tag == asn1.TagOID:
		return pkcs7, is(first.FullBytes, oidSigned)
	case first.Tag == asn1.TagInteger:
		return versioned(first.Bytes, second)
	case first.Tag == asn1.TagSequence && second.Tag == asn1.TagOctetString:
		return encryptedKey, encrypts(first.Bytes)
	case first.Tag == asn1.TagSequence && second.Tag == asn1.TagBitString:
		return publicKey, true
	case first.Tag == asn1.TagSequence && second.Tag == asn1.TagSequence:
		return signed(first.Bytes)
	}
	return form{}, false
}

// versioned is a structure that begins with a number.
func versioned(number []byte, second asn1.RawValue) (form, bool) {
	switch {
	case slices.Equal(number, []byte{3}) && second.Tag == asn1.TagSequence && holds(second.Bytes):
		return pkcs12, true
	case len(number) != 1 || number[0] > 1:
		return form{}, false
	}
	return privateKey, second.Tag == asn1.TagSequence || second.Tag == asn1.TagOctetString || second.Tag == asn1.TagInteger
}

func holds(content []byte) bool { return is(content, oidData) || is(content, oidSigned) }

// signed tells what somebody signed: a certificate begins with its version, in brackets, or its
// serial number and an algorithm; a request with its version and a name.
func signed(body []byte) (form, bool) {
	var first, second, third asn1.RawValue
	rest, err := asn1.Unmarshal(body, &first)
	if err != nil {
		return form{}, false
	}
	if first.Class == asn1.ClassContextSpecific {
		return certificate, true
	}
	if rest, err = asn1.Unmarshal(rest, &second); err != nil {
		return form{}, false
	}
	if _, err = asn1.Unmarshal(rest, &third); err != nil || first.Tag != asn1.TagInteger {
		return form{}, false
	}
	var key asn1.RawValue // of a request, whose third field is a public key: an algorithm and bits
	if after, err := asn1.Unmarshal(third.Bytes, &key); err == nil {
		if _, err := asn1.Unmarshal(after, &key); err == nil && key.Tag == asn1.TagBitString {
			return request, true
		}
	}
	return certificate, true
}

func is(der []byte, want asn1.ObjectIdentifier) bool {
	var oid asn1.ObjectIdentifier
	_, err := asn1.Unmarshal(der, &oid)
	return err == nil && oid.Equal(want)
}

func encrypts(algorithm []byte) bool {
	var oid asn1.ObjectIdentifier
	_, err := asn1.Unmarshal(algorithm, &oid)
	return err == nil && slices.ContainsFunc(oidPasswords, func(p asn1.ObjectIdentifier) bool { return len(oid) > len(p) && oid[:len(p)].Equal(p) })
}

// fileName is a path, or a name that people give such files.
var fileName = regexp.MustCompile(`^(file:)?[\w.~$@{}:\\/ -]{1,300}$`)

// unread names a text that is neither PEM nor DER.
func unread(text string) error {
	bare := strings.TrimSpace(text)
	has := func(prefixes ...string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(bare, p) })
	}
	switch {
	case bare == "":
		return errors.New("it is empty")
	case has("\xfe\xed\xfe\xed", "\xce\xce\xce\xce"):
		return errors.New("it is a Java keystore; write it as PKCS#12 by `keytool -importkeystore -deststoretype PKCS12`, and that as PEM by `openssl pkcs12 -nodes`")
	case has("PK\x03\x04", "\x1f\x8b", "BZh", "7z\xbc\xaf"):
		return errors.New("it is an archive; unpack it first")
	case has("ssh-", "ecdsa-sha2-"):
		return errors.New("it is an SSH public key; give the certificate, or its private key, in PEM")
	case has("PuTTY-User-Key-File"):
		return errors.New("it is a PuTTY key; export it as an OpenSSL key first")
	case has("<"):
		return errors.New("it is a web page or XML; give the file that it offers")
	case has("{", "["):
		return errors.New("it is JSON without PEM in it; give what is in its fields")
	case has("Certificate:", "Certificate Request:", "Private-Key:"):
		return errors.New("it is the readable text of `openssl … -text`; give the part from -----BEGIN to -----END, which -noout leaves out")
	case has("%2D%2D", "-----BEGIN%20", "-----BEGIN+"):
		return errors.New("it is PEM in URL encoding; decode it first")
	case armour.MatchString(bare):
		return errArmour
	case !strings.Contains(bare, "\n") && fileName.MatchString(bare) && strings.ContainsAny(bare, `./\`):
		return errors.New("it is the name of a file, by its looks, and not what is in the file")
	}
	return ErrUnknown
}
