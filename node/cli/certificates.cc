#include "node/cli/certificates.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>
#include <variant>
#include <vector>

#include "node/config/files.h"

namespace shoal {
namespace {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;

Bio bio_of(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

int no_pass_phrase(char*, int, int, void*) { return -1; }

// All certificates of a file, or what is wrong.
std::variant<std::vector<Certificate>, std::string> certificates_of(const std::string& file) {
  const auto text = read_small_file(file);
  if (const auto* error = std::get_if<FileError>(&text)) return error->what;
  const Bio bio = bio_of(std::get<std::string>(text));
  std::vector<Certificate> all;
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, no_pass_phrase, nullptr)) {
    all.emplace_back(next);
  }
  const bool is_at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (all.empty()) return "expected a certificate in PEM";
  if (!is_at_end) return "certificate " + std::to_string(all.size() + 1) + " is damaged";
  return all;
}

std::variant<Key, std::string> key_of(const std::string& file) {
  const auto text = read_small_file(file);
  if (const auto* error = std::get_if<FileError>(&text)) return error->what;
  const Bio bio = bio_of(std::get<std::string>(text));
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_pass_phrase, nullptr));
  ERR_clear_error();
  if (!key) return "expected a private key in PEM, without a pass phrase";
  return key;
}

std::string validity_error(const X509& certificate, time_t now) {
  if (X509_cmp_time(X509_get0_notAfter(&certificate), &now) < 0)
    return "the certificate has expired";
  if (X509_cmp_time(X509_get0_notBefore(&certificate), &now) > 0) {
    return "the certificate is not valid yet";
  }
  return {};
}

}  // namespace

CertificateReport check_certificate(const std::string& cert_file, const std::string& key_file,
                                    int64_t now_s) {
  constexpr time_t kSoon = 14 * 24 * 3600;
  CertificateReport report;
  const auto certificates = certificates_of(cert_file);
  const auto key = key_of(key_file);
  if (const auto* error = std::get_if<std::string>(&certificates)) report.cert_error = *error;
  if (const auto* error = std::get_if<std::string>(&key)) report.key_error = *error;
  if (!report.cert_error.empty() || !report.key_error.empty()) return report;
  const X509& own = *std::get<0>(certificates).front();
  const bool is_pair = X509_check_private_key(&own, std::get<Key>(key).get()) == 1;
  ERR_clear_error();
  if (!is_pair) report.key_error = "does not belong to the first certificate of " + cert_file;
  report.cert_error = validity_error(own, static_cast<time_t>(now_s));
  if (report.cert_error.empty() &&
      !validity_error(own, static_cast<time_t>(now_s) + kSoon).empty()) {
    report.warning = "the certificate expires within 14 days";
  }
  return report;
}

std::string check_authorities(const std::string& file) {
  const auto certificates = certificates_of(file);
  const auto* error = std::get_if<std::string>(&certificates);
  return error != nullptr ? *error : std::string();
}

}  // namespace shoal
