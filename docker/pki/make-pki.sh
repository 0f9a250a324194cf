#!/bin/sh
# Usage: make-pki NAME...
# An authority and a certificate signed by it for each name, in /pki, readable by the broker's user alone. Nothing where
# they are there already.
set -eu
cd /pki
if [ -e .made ]; then
  exit 0
fi
authority=$(mktemp -d)
days=3650

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days "$days" -subj "/CN=Shoal peers" \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign \
  -keyout "$authority/ca.key" -out ca.crt 2>/dev/null
for name in "$@"; do
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$name" \
    -keyout "$name.key" -out "$authority/$name.csr" 2>/dev/null
  printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth,clientAuth\nkeyUsage=critical,digitalSignature\n' "$name" > "$authority/ext"
  openssl x509 -req -in "$authority/$name.csr" -CA ca.crt -CAkey "$authority/ca.key" -CAcreateserial -days "$days" \
    -extfile "$authority/ext" -out "$name.crt" 2>/dev/null
done
rm -rf "$authority" ca.srl
chown -R 10001:10001 .
chmod 0400 ./*.key
touch .made
