// SCRAM-SHA-256 for MQTT 5.0's enhanced authentication, with the users of the listeners' password
// files.
#pragma once

#include <memory>
#include <string_view>

#include "node/runtime/file_credential_desk.h"
#include "shoal/access.h"

namespace shoal {

class ScramMethods final : public AuthMethods {
 public:
  explicit ScramMethods(const FileCredentialDesk& desk) : desk_(desk) {}

  // Null for another method, and on a listener without a password file. An exchange keeps the files
  // that it began with.
  std::unique_ptr<AuthExchange> begin(const CredentialCheck& check,
                                      std::string_view method) override;

 private:
  const FileCredentialDesk& desk_;
};

}  // namespace shoal
