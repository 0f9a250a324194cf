// The few primitives that passwords need, over OpenSSL and libargon2. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace shoal {

using Bytes = std::vector<uint8_t>;
using Sha256 = std::array<uint8_t, 32>;
constexpr size_t kSha512Size = 64;

Sha256 sha256(std::span<const uint8_t> data);
Sha256 hmac_sha256(std::span<const uint8_t> key, std::span<const uint8_t> data);
Bytes sha512_of(std::string_view text, std::span<const uint8_t> more);
Bytes pbkdf2_sha512(std::string_view password, std::span<const uint8_t> salt, uint32_t iterations);
Sha256 pbkdf2_sha256(std::string_view password, std::span<const uint8_t> salt, uint32_t iterations);

struct Argon2Cost {
  uint32_t memory_kib = 19 * 1024;  // OWASP's least for argon2id with two passes
  uint32_t passes = 2;
  uint32_t lanes = 1;

  friend bool operator==(const Argon2Cost&, const Argon2Cost&) = default;
};
// nullopt if there is not enough memory for it now.
std::optional<Bytes> argon2id(std::string_view password, std::span<const uint8_t> salt,
                              const Argon2Cost& cost, size_t length);

// Takes the same time wherever the two differ; their lengths are no secret.
bool is_equal_secret(std::span<const uint8_t> a, std::span<const uint8_t> b);

// RFC 4648. The decoder takes only what the encoder would write; padding as asked for.
enum class Padding : uint8_t { kRequired, kAbsent };
std::string base64_of(std::span<const uint8_t> data, Padding padding = Padding::kRequired);
std::optional<Bytes> base64_decoded(std::string_view text, Padding padding = Padding::kRequired);

}  // namespace shoal
