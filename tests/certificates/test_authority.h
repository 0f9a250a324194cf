// Certificate authorities and certificates for tests, made on the spot.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace shoal {

struct TestCertificate {
  std::string cert;
  std::string key;
  std::string ca;
};

class TestAuthority {
 public:
  // Files go below `folder`, their names begin with `name`.
  TestAuthority(std::string folder, std::string name);

  // Writes NAME.crt and NAME.key, signed by this authority (again, under a new key, if they exist).
  TestCertificate issue(const std::string& name);
  // Also for this host name, besides the common name.
  TestCertificate issue_for_host(const std::string& name, const std::string& host);

 private:
  using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
  using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

  static Key new_key();
  Certificate certificate_of(EVP_PKEY* key, const std::string& subject, bool authority,
                             const std::string& host = {});

  const std::string folder_;
  const std::string name_;
  const Key key_;
  long serial_ = 0;
};

}  // namespace shoal
