// SCRAM-SHA-256 (RFC 5802, RFC 7677), the server's side, for MQTT 5.0's enhanced authentication.
// Pure: the nonce is given, the credential is looked up by the caller's function.
//
//   client-first   n,,n=user,r=CNONCE                       in CONNECT's Authentication Data
//   server-first   r=CNONCE SNONCE,s=salt,i=4096            in AUTH 0x18
//   client-final   c=biws,r=CNONCE SNONCE,p=proof           in AUTH 0x18
//   server-final   v=signature                              in CONNACK, or AUTH 0x00
//
// The server keeps neither the password nor what would let it log in elsewhere: StoredKey checks a
// proof, ServerKey signs the answer.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "node/auth/crypto.h"

namespace shoal {

struct ScramCredential {
  uint32_t iterations = 0;
  Bytes salt;
  Sha256 stored_key{};
  Sha256 server_key{};

  friend bool operator==(const ScramCredential&, const ScramCredential&) = default;
};

// The password must be one that SASLprep leaves unchanged, such as printable ASCII.
ScramCredential scram_credential_of(std::string_view password, std::span<const uint8_t> salt,
                                    uint32_t iterations);
bool is_scram_password(const ScramCredential& credential, std::string_view password);

// One exchange. Each message from the client is answered, until it has succeeded or failed.
class ScramServer {
 public:
  static constexpr std::string_view kMethod = "SCRAM-SHA-256";

  // Must answer for unknown users too, with a credential that no proof fits, the same each time:
  // otherwise the exchange tells who exists (Passwords::scram_of does so).
  using Lookup = std::function<ScramCredential(std::string_view user)>;

  // `nonce` is ours, fresh for each exchange: 18 random bytes in Base64 do.
  ScramServer(std::string nonce, Lookup lookup);

  enum class Outcome : uint8_t { kContinue, kSuccess, kFailure };
  struct Step {
    Outcome outcome = Outcome::kFailure;
    std::string reply;  // Authentication Data; of a failure it goes nowhere in MQTT
  };
  Step on_message(std::string_view message);

  // The user that client-first named; proved only after kSuccess.
  const std::string& user() const { return user_; }

 private:
  enum class State : uint8_t { kClientFirst, kClientFinal, kDone };

  Step on_client_first(std::string_view message);
  Step on_client_final(std::string_view message);
  Step fail(std::string_view error);

  const std::string nonce_;
  const Lookup lookup_;
  State state_ = State::kClientFirst;
  std::string user_;
  std::string gs2_header_;
  std::string combined_nonce_;
  std::string auth_message_;  // client-first-bare "," server-first so far
  ScramCredential credential_;
};

}  // namespace shoal
