#include "node/auth/password_hash.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "shoal/assert.h"

namespace shoal {
namespace {

constexpr size_t kArgon2HashSize = 32;
constexpr uint32_t kIterationsMax = 10'000'000;
constexpr uint32_t kMemoryKibMax = 1024 * 1024;
constexpr uint32_t kPassesMax = 100;
constexpr uint32_t kLanesMax = 64;

std::optional<uint32_t> whole_number(std::string_view text, uint32_t least, uint32_t most) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value < least || value > most ? std::nullopt : std::optional(value);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::optional<Bytes> bytes_between(std::string_view text, size_t least, size_t most,
                                   Padding padding = Padding::kRequired) {
  auto bytes = base64_decoded(text, padding);
  if (bytes && (bytes->size() < least || bytes->size() > most)) return std::nullopt;
  return bytes;
}

using Parts = std::vector<std::string_view>;  // what is between the "$"

std::optional<SaltedSha512> salted_sha512_of(const Parts& parts) {
  if (parts.size() != 2) return std::nullopt;
  auto salt = bytes_between(parts[0], 1, 256);
  auto hash = bytes_between(parts[1], kSha512Size, kSha512Size);
  if (!salt || !hash) return std::nullopt;
  return SaltedSha512{std::move(*salt), std::move(*hash)};
}

std::optional<Pbkdf2Sha512> pbkdf2_of(const Parts& parts) {
  if (parts.size() != 3) return std::nullopt;
  const auto iterations = whole_number(parts[0], 1, kIterationsMax);
  auto salt = bytes_between(parts[1], 1, 256);
  auto hash = bytes_between(parts[2], kSha512Size, kSha512Size);
  if (!iterations || !salt || !hash) return std::nullopt;
  return Pbkdf2Sha512{*iterations, std::move(*salt), std::move(*hash)};
}

// "m=19456,t=2,p=1"
std::optional<Argon2Cost> argon2_cost_of(std::string_view text) {
  const auto parts = split(text, ',');
  if (parts.size() != 3 || !parts[0].starts_with("m=") || !parts[1].starts_with("t=") ||
      !parts[2].starts_with("p=")) {
    return std::nullopt;
  }
  const auto lanes = whole_number(parts[2].substr(2), 1, kLanesMax);
  if (!lanes) return std::nullopt;
  const auto memory = whole_number(parts[0].substr(2), 8 * *lanes, kMemoryKibMax);
  const auto passes = whole_number(parts[1].substr(2), 1, kPassesMax);
  if (!memory || !passes) return std::nullopt;
  return Argon2Cost{*memory, *passes, *lanes};
}

std::optional<Argon2id> argon2id_of(const Parts& parts) {
  if (parts.size() != 4 || parts[0] != "v=19") return std::nullopt;
  const auto cost = argon2_cost_of(parts[1]);
  auto salt = bytes_between(parts[2], 8, 256, Padding::kAbsent);
  auto hash = bytes_between(parts[3], 16, 256, Padding::kAbsent);
  if (!cost || !salt || !hash) return std::nullopt;
  return Argon2id{*cost, std::move(*salt), std::move(*hash)};
}

std::optional<ScramCredential> scram_of(const Parts& parts) {
  if (parts.size() != 4) return std::nullopt;
  const auto iterations = whole_number(parts[0], 4096, kIterationsMax);  // RFC 7677, 4
  auto salt = bytes_between(parts[1], 8, 256);
  const auto stored_key = bytes_between(parts[2], Sha256{}.size(), Sha256{}.size());
  const auto server_key = bytes_between(parts[3], Sha256{}.size(), Sha256{}.size());
  if (!iterations || !salt || !stored_key || !server_key) return std::nullopt;
  ScramCredential credential{.iterations = *iterations, .salt = std::move(*salt)};
  std::copy(stored_key->begin(), stored_key->end(), credential.stored_key.begin());
  std::copy(server_key->begin(), server_key->end(), credential.server_key.begin());
  return credential;
}

bool is_match(const SaltedSha512& form, std::string_view password) {
  return is_equal_secret(sha512_of(password, form.salt), form.hash);
}
bool is_match(const Pbkdf2Sha512& form, std::string_view password) {
  return is_equal_secret(pbkdf2_sha512(password, form.salt, form.iterations), form.hash);
}
bool is_match(const Argon2id& form, std::string_view password) {
  const auto hash = argon2id(password, form.salt, form.cost, form.hash.size());
  return hash && is_equal_secret(*hash, form.hash);
}
bool is_match(const ScramCredential& form, std::string_view password) {
  return is_scram_password(form, password);
}

}  // namespace

std::variant<PasswordHash, std::string> PasswordHash::parse(std::string_view text) {
  if (!text.starts_with('$')) {
    return "expected a hashed password such as `shoal passwd` writes, not a plain one";
  }
  Parts parts = split(text.substr(1), '$');
  const std::string_view kind = parts.front();
  parts.erase(parts.begin());
  const auto made = [&kind](auto form) -> std::variant<PasswordHash, std::string> {
    if (form) return PasswordHash(std::move(*form));
    return "the $" + std::string(kind) + "$ password is damaged or its cost out of bounds";
  };
  if (kind == "6") return made(salted_sha512_of(parts));
  if (kind == "7") return made(pbkdf2_of(parts));
  if (kind == "argon2id") return made(argon2id_of(parts));
  if (kind == "scram-sha-256") return made(scram_of(parts));
  return "unknown kind of password, expected $6$, $7$, $argon2id$ or $scram-sha-256$";
}

bool PasswordHash::matches(std::string_view password) const {
  return std::visit([password](const auto& form) { return is_match(form, password); }, form_);
}

std::string argon2id_text_of(std::string_view password, std::span<const uint8_t> salt,
                             const Argon2Cost& cost) {
  const auto hash = argon2id(password, salt, cost, kArgon2HashSize);
  SHOAL_ASSERT(hash.has_value());
  return "$argon2id$v=19$m=" + std::to_string(cost.memory_kib) +
         ",t=" + std::to_string(cost.passes) + ",p=" + std::to_string(cost.lanes) + "$" +
         base64_of(salt, Padding::kAbsent) + "$" + base64_of(*hash, Padding::kAbsent);
}

std::string scram_text_of(const ScramCredential& credential) {
  return "$scram-sha-256$" + std::to_string(credential.iterations) + "$" +
         base64_of(credential.salt) + "$" + base64_of(credential.stored_key) + "$" +
         base64_of(credential.server_key);
}

}  // namespace shoal
