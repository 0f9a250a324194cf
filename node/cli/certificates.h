// Looks at certificate files before anything depends on them.
#pragma once

#include <cstdint>
#include <string>

namespace shoal {

struct CertificateReport {
  std::string cert_error;  // empty: none
  std::string key_error;
  std::string warning;
};

// A chain and its key, both PEM: do they parse, belong together, and is the certificate valid at
// `now_s` (Unix time)? Keys with a pass phrase are refused: nobody is there to type it.
CertificateReport check_certificate(const std::string& cert_file, const std::string& key_file,
                                    int64_t now_s);

// Certificates of authorities, PEM. Empty, or what is wrong.
std::string check_authorities(const std::string& file);

}  // namespace shoal
