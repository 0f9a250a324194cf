#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <ctime>

#include "node/cli/certificates.h"
#include "node/cli/commands.h"
#include "tests/cli/ran.h"
#include "tests/cli/scratch.h"

namespace shoal {
namespace {

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  const std::string text(data, static_cast<size_t>(size));
  BIO_free(bio);
  return text;
}

// A key and a certificate that it signed itself.
struct Pair {
  std::string cert;
  std::string key;
  std::string locked_key;  // with a pass phrase
};
Pair make_pair(long valid_from_s, long valid_to_s) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), valid_from_s);
  X509_gmtime_adj(X509_getm_notAfter(certificate), valid_to_s);
  X509_set_pubkey(certificate, key);
  X509_sign(certificate, key, EVP_sha256());
  BIO* cert_bio = BIO_new(BIO_s_mem());
  BIO* key_bio = BIO_new(BIO_s_mem());
  BIO* locked_bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(cert_bio, certificate);
  PEM_write_bio_PrivateKey(key_bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  PEM_write_bio_PrivateKey(locked_bio, key, EVP_aes_128_cbc(),
                           reinterpret_cast<const unsigned char*>("pass"), 4, nullptr, nullptr);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return {text_of(cert_bio), text_of(key_bio), text_of(locked_bio)};
}

constexpr long kYear = 365L * 24 * 3600;

TEST(Certificates, Pairs) {
  const Scratch scratch;
  const Pair good = make_pair(-3600, kYear);
  const Pair other = make_pair(-3600, kYear);
  const std::string cut = good.cert.substr(0, good.cert.size() / 2);
  struct Case {
    std::string cert;
    std::string key;
    std::string cert_error;
    std::string key_error;  // the beginning
  };
  const Case cases[] = {
      {good.cert, good.key, "", ""},
      {good.cert + other.cert, good.key, "", ""},
      {"a comment\n" + good.cert, good.key, "", ""},
      {other.cert + good.cert, good.key, "", "does not belong to the first certificate"},
      {good.cert, other.key, "", "does not belong to the first certificate"},
      {good.cert, good.locked_key, "", "expected a private key in PEM, without a pass phrase"},
      {good.cert, good.cert, "", "expected a private key in PEM"},
      {good.key, good.key, "expected a certificate in PEM", ""},
      {"", "", "expected a certificate in PEM", "expected a private key in PEM"},
      {cut, good.key, "expected a certificate in PEM", ""},
      {good.cert + cut, good.key, "certificate 2 is damaged", ""},
      {make_pair(-2 * kYear, -kYear).cert, good.key, "the certificate has expired",
       "does not belong"},
  };
  for (const auto& [cert, key, cert_error, key_error] : cases) {
    const auto report = check_certificate(scratch.write("cert", cert), scratch.write("key", key),
                                          std::time(nullptr));
    EXPECT_EQ(report.cert_error, cert_error);
    EXPECT_EQ(report.key_error.substr(0, key_error.size()), key_error);
    EXPECT_EQ(report.key_error.empty(), key_error.empty());
  }
}

TEST(Certificates, Validity) {
  const Scratch scratch;
  const Pair pair = make_pair(0, kYear);
  const std::string cert = scratch.write("cert", pair.cert);
  const std::string key = scratch.write("key", pair.key);
  const int64_t now = std::time(nullptr);
  EXPECT_EQ(check_certificate(cert, key, now + kYear / 2).warning, "");
  EXPECT_EQ(check_certificate(cert, key, now + kYear - 3600).warning,
            "the certificate expires within 14 days");
  EXPECT_EQ(check_certificate(cert, key, now + kYear + 3600).cert_error,
            "the certificate has expired");
  EXPECT_EQ(check_certificate(cert, key, now - 3600).cert_error,
            "the certificate is not valid yet");
  EXPECT_EQ(check_authorities(cert), "");
  EXPECT_EQ(check_authorities(key), "expected a certificate in PEM");
  EXPECT_EQ(check_authorities(scratch.path("none")), "cannot read: No such file or directory");
}

Ran check(const Args& args) {
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  const int status = run_check(args, {in, false, out, err});
  return {status, out.str(), err.str()};
}

TEST(Check, AGoodFileWithEverything) {
  const Scratch scratch;
  const Pair pair = make_pair(-3600, kYear);
  const std::string cert = scratch.write("cert.pem", pair.cert);
  const std::string key = scratch.write("key.pem", pair.key);
  const std::string acl = scratch.write("acl", "topic read #\n");
  const std::string users = scratch.write("users", "");
  const std::string token = scratch.write("token", "0123456789abcdef\n");
  const std::string file = scratch.write(
      "shoal.toml", "peer = '0.0.0.0:7883'\npeer-advertise = 'n1:7883'\npeer-cert = '" + cert +
                        "'\npeer-key = '" + key + "'\npeer-ca = '" + cert +
                        "'\nadmin-token-file = '" + token + "'\n[[listener]]\ntype = 'wss'\n" +
                        "address = '0.0.0.0:8443'\ntls-cert = '" + cert + "'\ntls-key = '" + key +
                        "'\ntls-client-ca = '" + cert + "'\npassword-file = '" + users +
                        "'\nacl-file = '" + acl + "'\n");
  const Ran ran = check({file});
  EXPECT_EQ(ran.err, "");
  EXPECT_EQ(ran.out, file + ": good\n");
  EXPECT_EQ(ran.status, 0);
}

TEST(Check, FilesThatAreNamedAreLookedAt) {
  const Scratch scratch;
  const std::string acl = scratch.write("acl", "topic read #\ntopic a/#/b\n");
  const std::string users = scratch.write("users", "# users\nalice:plain\n");
  const std::string token = scratch.write("token", "short\n");
  const std::string file = scratch.write("shoal.toml",
                                         "mqtt = '127.0.0.1:1883'\nmqtts = ['127.0.0.1:8883', "
                                         "'127.0.0.1:8884']\ncert = 'none.pem'\nkey = 'none.key'\n"
                                         "password-file = '" +
                                             users + "'\nacl-file = '" + acl +
                                             "'\nadmin-token-file = '" + token + "'\n");
  const Ran ran = check({file});
  EXPECT_EQ(ran.status, 2);
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(ran.err, "shoal: " + users +
                         ":2: user \"alice\": expected a hashed password such as `shoal "
                         "passwd` writes, not a plain one\n"
                         "shoal: " +
                         acl +
                         ":2: expected a topic filter, got \"a/#/b\"\n"
                         "shoal: " +
                         file +
                         ":3: cert: none.pem: cannot read: No such file or directory\n"
                         "shoal: " +
                         file +
                         ":4: key: none.key: cannot read: No such file or directory\n"
                         "shoal: " +
                         file + ":7: admin-token-file: " + token +
                         ": expected a token of 16 characters or more\n");
}

TEST(Check, Usage) {
  EXPECT_EQ(check({"--help"}).status, 0);
  EXPECT_EQ(check({}).status, 2);
  EXPECT_EQ(check({"a", "b"}).status, 2);
  EXPECT_EQ(check({"--frob"}).status, 2);
  const Ran missing = check({"/nonexistent/shoal.toml"});
  EXPECT_EQ(missing.status, 2);
  EXPECT_EQ(missing.err,
            "shoal: /nonexistent/shoal.toml: cannot read: No such file or directory\n");
}

}  // namespace
}  // namespace shoal
