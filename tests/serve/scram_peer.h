// The client's side of a SCRAM login, apart from the codec.
#pragma once

#include <memory>
#include <string>

namespace shoal {

struct ScramClient;

class ScramPeer {
 public:
  ScramPeer(const std::string& user, const std::string& password);
  ~ScramPeer();

  std::string first() const;
  std::string final_of(const std::string& server_first);
  std::string expected_server_final() const;

 private:
  const std::unique_ptr<ScramClient> client_;
};

// Lines of a password file.
std::string scram_user_line(const std::string& user, const std::string& password);
std::string argon2id_user_line(const std::string& user, const std::string& password);

}  // namespace shoal
