// Users and rights from password and ACL files, each listener's own: an immutable snapshot, which a
// reload replaces by another.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "node/auth/access_rules.h"
#include "node/auth/passwords.h"
#include "node/config/serve_config.h"
#include "shoal/access.h"

namespace shoal {

class CredentialFiles {
 public:
  // Or what is wrong: one line that names the file, and the line in it.
  static std::variant<CredentialFiles, std::string> load(
      const std::vector<ListenerConfig>& listeners);

  // Whether answer() has a password to verify, which takes some ten milliseconds and much memory.
  bool is_slow(const CredentialCheck& check) const;
  CredentialAnswer answer(const CredentialCheck& check) const;
  // The answer for a `user` who has proved to be that by other means.
  CredentialAnswer accepted(std::string user, const CredentialCheck& check) const;

  // What `user` may do now, who was let in before; nothing if there is no such user any more.
  std::optional<AccessRef> access_of(uint16_t listener, std::string_view user,
                                     std::string_view client_id) const;
  // Null where a listener has no password file.
  const Passwords* passwords(uint16_t listener) const { return rules_[listener].passwords.get(); }

 private:
  struct ListenerRules {
    std::shared_ptr<const Passwords> passwords;
    std::shared_ptr<const AccessRules> access;
    Anonymous anonymous = Anonymous::kRefused;
    bool identity_is_user = false;
    bool is_local = false;  // a Unix socket
  };

  static bool lets_in_anonymous(const ListenerRules& rules, const std::string& address);

  std::vector<ListenerRules> rules_;
};

}  // namespace shoal
