#include "tests/serve/scram_peer.h"

#include "node/auth/password_hash.h"
#include "tests/auth/scram_client.h"

namespace shoal {

ScramPeer::ScramPeer(const std::string& user, const std::string& password)
    : client_(std::make_unique<ScramClient>()) {
  client_->first_bare = "n=" + user + ",r=fyko+d2lbbFgONRv9qkxdawL";
  client_->password = password;
}
ScramPeer::~ScramPeer() = default;

std::string ScramPeer::first() const { return client_->first(); }
std::string ScramPeer::final_of(const std::string& server_first) {
  return client_->final_of(server_first);
}
std::string ScramPeer::expected_server_final() const { return client_->expected_server_final(); }

std::string scram_user_line(const std::string& user, const std::string& password) {
  const Bytes salt(16, 's');
  return user + ":" + scram_text_of(scram_credential_of(password, salt, 4096)) + "\n";
}

std::string argon2id_user_line(const std::string& user, const std::string& password) {
  const Bytes salt(16, 's');
  const Argon2Cost cheap{.memory_kib = 64, .passes = 1};
  return user + ":" + argon2id_text_of(password, salt, cheap) + "\n";
}

}  // namespace shoal
