#include "node/auth/passwords.h"

#include <algorithm>

#include "node/auth/lines.h"
#include "shoal/byte_view.h"

namespace shoal {
namespace {

constexpr size_t kUserNameMax = 65535;  // [MQTT5-1.5.4]

}  // namespace

const char* user_name_fault(std::string_view user) {
  if (user.empty()) return "a user name must not be empty";
  if (user.size() > kUserNameMax) return "a user name has at most 65535 bytes";
  if (user.find(':') != std::string_view::npos) return "a user name must not contain \":\"";
  if (user.starts_with('#')) return "a user name must not begin with \"#\"";
  if (trimmed(user) != user) return "a user name must not begin or end with a blank";
  const bool has_control = std::any_of(user.begin(), user.end(),
                                       [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; });
  if (has_control) return "a user name must not contain control characters";
  return nullptr;
}

std::variant<Passwords, LineErrors> Passwords::parse(std::string_view text) {
  Passwords passwords;
  LineErrors errors;
  for_each_line(text, [&](int number, std::string_view line) {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
      return errors.push_back({number, "expected USER:HASH, found no \":\""});
    }
    const std::string_view user = trimmed(line.substr(0, colon));
    if (const char* fault = user_name_fault(user)) return errors.push_back({number, fault});
    auto hash = PasswordHash::parse(trimmed(line.substr(colon + 1)));
    if (auto* what = std::get_if<std::string>(&hash)) {
      return errors.push_back({number, "user \"" + std::string(user) + "\": " + *what});
    }
    passwords.entries_.push_back(
        {std::string(user), std::get<PasswordHash>(std::move(hash)), number});
  });
  auto& entries = passwords.entries_;
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.user < b.user; });
  for (size_t i = 1; i < entries.size(); ++i) {
    if (entries[i].user != entries[i - 1].user) continue;
    errors.push_back({entries[i].line, "user \"" + entries[i].user + "\" is on line " +
                                           std::to_string(entries[i - 1].line) + " already"});
  }
  if (!errors.empty()) {
    std::sort(errors.begin(), errors.end(),
              [](const LineError& a, const LineError& b) { return a.line < b.line; });
    return errors;
  }
  passwords.decoy_key_ = sha256(bytes_of(text));
  // As the file's own lines look, or as we would write them.
  ScramCredential like{.iterations = 4096, .salt = Bytes(16)};
  for (const Entry& entry : entries) {
    if (entry.hash.scram() != nullptr) like = *entry.hash.scram();
  }
  passwords.decoy_iterations_ = like.iterations;
  passwords.decoy_salt_size_ = std::min(like.salt.size(), Sha256{}.size());
  return passwords;
}

const Passwords::Entry* Passwords::find(std::string_view user) const {
  const auto found =
      std::lower_bound(entries_.begin(), entries_.end(), user,
                       [](const Entry& entry, std::string_view name) { return entry.user < name; });
  return found == entries_.end() || found->user != user ? nullptr : &*found;
}

Sha256 Passwords::decoy_bytes(std::string_view purpose, std::string_view user) const {
  return hmac_sha256(decoy_key_, bytes_of(std::string(purpose) + ":" + std::string(user)));
}

bool Passwords::verify(std::string_view user, std::string_view password) const {
  if (entries_.empty()) return false;
  // Drawn for known users too, so that this costs both the same.
  const Sha256 draw = decoy_bytes("entry", user);
  size_t index = 0;
  for (int i = 0; i < 8; ++i) index = index << 8 | draw[static_cast<size_t>(i)];
  const Entry* known = find(user);
  const Entry& checked = known != nullptr ? *known : entries_[index % entries_.size()];
  const bool is_right = checked.hash.matches(password);
  return is_right && known != nullptr;
}

ScramCredential Passwords::scram_of(std::string_view user) const {
  const Entry* known = find(user);
  if (known != nullptr && known->hash.scram() != nullptr) return *known->hash.scram();
  const Sha256 salt = decoy_bytes("salt", user);
  const auto salt_end = salt.begin() + static_cast<std::ptrdiff_t>(decoy_salt_size_);
  // No password leads to these keys but by inverting HMAC.
  return {.iterations = decoy_iterations_,
          .salt = Bytes(salt.begin(), salt_end),
          .stored_key = decoy_bytes("stored", user),
          .server_key = decoy_bytes("server", user)};
}

}  // namespace shoal
