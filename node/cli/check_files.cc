#include "node/cli/check_files.h"

#include <set>
#include <utility>

#include "node/auth/access_rules.h"
#include "node/auth/passwords.h"
#include "node/cli/certificates.h"
#include "node/config/files.h"

namespace shoal {
namespace {

class FileChecker {
 public:
  FileChecker(Findings& findings, int64_t now_s) : findings_(findings), now_s_(now_s) {}

  // Many listeners share their files: each is read, and complained of, once.
  bool is_new(const std::string& file) { return !file.empty() && seen_.insert(file).second; }

  // Reads and parses a file whose parser tells its mistakes by lines.
  template <class Parsed>
  void lines(const std::string& origin, const std::string& file) {
    if (!is_new(file)) return;
    const auto text = read_small_file(file);
    if (const auto* error = std::get_if<FileError>(&text)) {
      return findings_.error(origin + ": " + file, error->what);
    }
    const auto parsed = Parsed::parse(std::get<std::string>(text));
    if (const auto* errors = std::get_if<LineErrors>(&parsed)) {
      for (const LineError& error : *errors) {
        findings_.error(file + ":" + std::to_string(error.line), error.what);
      }
    }
  }

  void certificate(const std::string& cert_origin, const std::string& key_origin,
                   const CertificateFiles& files) {
    if (!is_new(files.cert + "\n" + files.key)) return;
    const CertificateReport report = check_certificate(files.cert, files.key, now_s_);
    add_error(cert_origin + ": " + files.cert, report.cert_error);
    add_error(key_origin + ": " + files.key, report.key_error);
    if (!report.warning.empty()) findings_.warning(cert_origin + ": " + files.cert, report.warning);
  }

  void authorities(const std::string& origin, const std::string& file) {
    if (is_new(file)) add_error(origin + ": " + file, check_authorities(file));
  }

  void token(const std::string& origin, const std::string& file) {
    if (!is_new(file)) return;
    const auto text = read_small_file(file);
    if (const auto* error = std::get_if<FileError>(&text)) {
      return findings_.error(origin + ": " + file, error->what);
    }
    constexpr size_t kTokenMin = 16;
    if (std::get<std::string>(text).find_last_not_of(" \t\r\n") + 1 < kTokenMin) {
      findings_.error(origin + ": " + file, "expected a token of 16 characters or more");
    }
  }

 private:
  void add_error(const std::string& where, const std::string& what) {
    if (!what.empty()) findings_.error(where, what);
  }

  Findings& findings_;
  const int64_t now_s_;
  std::set<std::string> seen_;
};

}  // namespace

void check_files(Loaded& loaded, int64_t now_s) {
  FileChecker checker(loaded.findings, now_s);
  const ServeConfig& config = loaded.config;
  for (const ListenerConfig& listener : config.listeners) {
    const auto origin_of = [&listener](const std::string& file) {
      const auto found = listener.file_origins.find(file);
      return found == listener.file_origins.end() ? listener.origin : found->second;
    };
    for (const CertificateFiles& files : listener.certificates) {
      checker.certificate(origin_of(files.cert), origin_of(files.key), files);
    }
    checker.authorities(origin_of(listener.client_ca), listener.client_ca);
    checker.lines<Passwords>(origin_of(listener.password_file), listener.password_file);
    checker.lines<AccessRules>(origin_of(listener.acl_file), listener.acl_file);
  }
  if (config.peer_tls.is_set()) {
    checker.certificate(loaded.origin_of("peer-cert"), loaded.origin_of("peer-key"),
                        {config.peer_tls.cert, config.peer_tls.key});
    checker.authorities(loaded.origin_of("peer-ca"), config.peer_tls.ca);
  }
  checker.token(loaded.origin_of("admin-token-file"), config.admin_token_file);
}

}  // namespace shoal
