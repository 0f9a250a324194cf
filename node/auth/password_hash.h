// One stored password, in any of the forms that a password file may hold:
//   $7$iterations$salt$hash                          PBKDF2-SHA512, what mosquitto 1.6 to 2.0
//   writes $6$salt$hash                                     SHA-512 salted, what mosquitto wrote
//   before $argon2id$v=19$m=19456,t=2,p=1$salt$hash         what we write, and mosquitto 2.1
//   $scram-sha-256$iterations$salt$StoredKey$ServerKey
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "node/auth/crypto.h"
#include "node/auth/scram.h"

namespace shoal {

struct SaltedSha512 {
  Bytes salt, hash;
};
struct Pbkdf2Sha512 {
  uint32_t iterations = 0;
  Bytes salt, hash;
};
struct Argon2id {
  Argon2Cost cost;
  Bytes salt, hash;
};

class PasswordHash {
 public:
  // The text after "user:", or why it is none of the forms. Costs beyond what a login may take (1
  // GiB, 100 passes, 10 million iterations) are refused: they would be a mistake or an attack.
  static std::variant<PasswordHash, std::string> parse(std::string_view text);

  // Slow on purpose (except $6$). Any thread.
  bool matches(std::string_view password) const;

  // nullptr unless it is of the SCRAM form.
  const ScramCredential* scram() const { return std::get_if<ScramCredential>(&form_); }

 private:
  using Form = std::variant<SaltedSha512, Pbkdf2Sha512, Argon2id, ScramCredential>;
  explicit PasswordHash(Form form) : form_(std::move(form)) {}

  Form form_;
};

// The stored forms that we write. `salt` is random: 16 bytes do.
std::string argon2id_text_of(std::string_view password, std::span<const uint8_t> salt,
                             const Argon2Cost& cost = {});
std::string scram_text_of(const ScramCredential& credential);

}  // namespace shoal
