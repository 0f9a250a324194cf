// The users of a password file, as an immutable snapshot: a reload makes a new one beside it.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "node/auth/line_error.h"
#include "node/auth/password_hash.h"

namespace shoal {

class Passwords {
 public:
  // Lines of `user:hash`. All lines that are wrong are told.
  static std::variant<Passwords, LineErrors> parse(std::string_view text);

  // Slow on purpose (argon2id as we write it: about 25 ms of one core and 19 MiB): call it on a
  // small pool, never on a worker. An unknown user takes as long as a known one with a wrong
  // password: the password is checked against some other user's, the same each time, so that the
  // time does not tell who exists even where the file holds several kinds of hash.
  bool verify(std::string_view user, std::string_view password) const;

  // For ScramServer. A user who has no SCRAM line, or does not exist, gets a credential that fits
  // no proof; its salt depends on the file and the name alone, so it is the same on each node that
  // has the same file.
  ScramCredential scram_of(std::string_view user) const;

  bool has_user(std::string_view user) const { return find(user) != nullptr; }
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string user;
    PasswordHash hash;
    int line = 0;
  };

  const Entry* find(std::string_view user) const;
  Sha256 decoy_bytes(std::string_view purpose, std::string_view user) const;

  std::vector<Entry> entries_;  // by user
  Sha256 decoy_key_{};          // nobody without the file can tell a decoy's salt from a true one
  uint32_t decoy_iterations_ = 0;
  size_t decoy_salt_size_ = 0;
};

// What is wrong with a user name, or nullptr. It must fit into a line and into MQTT's field.
const char* user_name_fault(std::string_view user);

}  // namespace shoal
