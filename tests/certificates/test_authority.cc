#include "tests/certificates/test_authority.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>

#include "shoal/assert.h"

namespace shoal {
namespace {

template <typename Write>
void write_file(const std::string& path, Write&& write) {
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  SHOAL_ASSERT(file != nullptr);
  SHOAL_ASSERT(write(file) == 1);
  std::fclose(file);
}

void write_certificate(const std::string& path, X509* certificate) {
  write_file(path, [&](std::FILE* file) { return PEM_write_X509(file, certificate); });
}

void add_extension(X509* certificate, int nid, const std::string& value) {
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
  SHOAL_ASSERT(extension != nullptr);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

void set_name(X509_NAME* name, const std::string& common_name) {
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1,
                             0);
}

}  // namespace

TestAuthority::TestAuthority(std::string folder, std::string name)
    : folder_(std::move(folder)), name_(std::move(name)), key_(new_key()) {
  const Certificate own = certificate_of(key_.get(), name_, true);
  write_certificate(folder_ + "/" + name_ + ".crt", own.get());
}

TestCertificate TestAuthority::issue(const std::string& name) { return issue_for_host(name, ""); }

TestCertificate TestAuthority::issue_for_host(const std::string& name, const std::string& host) {
  const Key key = new_key();
  const Certificate certificate = certificate_of(key.get(), name, false, host);
  const TestCertificate files{folder_ + "/" + name + ".crt", folder_ + "/" + name + ".key",
                              folder_ + "/" + name_ + ".crt"};
  write_certificate(files.cert, certificate.get());
  write_file(files.key, [&](std::FILE* file) {
    return PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  return files;
}

TestAuthority::Key TestAuthority::new_key() { return {EVP_EC_gen("P-256"), EVP_PKEY_free}; }

TestAuthority::Certificate TestAuthority::certificate_of(EVP_PKEY* key, const std::string& subject,
                                                         bool authority, const std::string& host) {
  Certificate certificate{X509_new(), X509_free};
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), ++serial_);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key);
  set_name(X509_get_subject_name(certificate.get()), subject);
  set_name(X509_get_issuer_name(certificate.get()), name_);
  if (authority) add_extension(certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
  if (!host.empty()) add_extension(certificate.get(), NID_subject_alt_name, "DNS:" + host);
  SHOAL_ASSERT(X509_sign(certificate.get(), key_.get(), EVP_sha256()) > 0);
  return certificate;
}

}  // namespace shoal
