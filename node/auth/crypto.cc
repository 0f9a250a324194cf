#include "node/auth/crypto.h"

#include <argon2.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>

#include "shoal/assert.h"

namespace shoal {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void pbkdf2(std::string_view password, std::span<const uint8_t> salt, uint32_t iterations,
            const EVP_MD* digest, std::span<uint8_t> out) {
  const int done =
      PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), salt.data(),
                        static_cast<int>(salt.size()), static_cast<int>(iterations), digest,
                        static_cast<int>(out.size()), out.data());
  SHOAL_ASSERT(done == 1);
}

int sextet_of(char c) {
  const size_t at = kAlphabet.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

// The text less its "=", or nullopt if there are more or fewer of them than there must be.
std::optional<std::string_view> without_padding(std::string_view text, Padding padding) {
  if (padding == Padding::kAbsent) return text;
  if (text.size() % 4 != 0) return std::nullopt;
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  return text;
}

}  // namespace

Sha256 sha256(std::span<const uint8_t> data) {
  Sha256 out;
  SHOAL_ASSERT(EVP_Digest(data.data(), data.size(), out.data(), nullptr, EVP_sha256(), nullptr) ==
               1);
  return out;
}

Sha256 hmac_sha256(std::span<const uint8_t> key, std::span<const uint8_t> data) {
  Sha256 out;
  SHOAL_ASSERT(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), data.data(),
                    data.size(), out.data(), nullptr) != nullptr);
  return out;
}

Bytes sha512_of(std::string_view text, std::span<const uint8_t> more) {
  Bytes both(text.begin(), text.end());
  both.insert(both.end(), more.begin(), more.end());
  Bytes out(kSha512Size);
  SHOAL_ASSERT(EVP_Digest(both.data(), both.size(), out.data(), nullptr, EVP_sha512(), nullptr) ==
               1);
  OPENSSL_cleanse(both.data(), both.size());
  return out;
}

Bytes pbkdf2_sha512(std::string_view password, std::span<const uint8_t> salt, uint32_t iterations) {
  Bytes out(kSha512Size);
  pbkdf2(password, salt, iterations, EVP_sha512(), out);
  return out;
}

Sha256 pbkdf2_sha256(std::string_view password, std::span<const uint8_t> salt,
                     uint32_t iterations) {
  Sha256 out;
  pbkdf2(password, salt, iterations, EVP_sha256(), out);
  return out;
}

std::optional<Bytes> argon2id(std::string_view password, std::span<const uint8_t> salt,
                              const Argon2Cost& cost, size_t length) {
  Bytes out(length);
  Bytes password_copy(password.begin(), password.end());  // the library's fields are not const
  Bytes salt_copy(salt.begin(), salt.end());
  argon2_context context{};
  context.out = out.data();
  context.outlen = static_cast<uint32_t>(out.size());
  context.pwd = password_copy.data();
  context.pwdlen = static_cast<uint32_t>(password_copy.size());
  context.salt = salt_copy.data();
  context.saltlen = static_cast<uint32_t>(salt_copy.size());
  context.t_cost = cost.passes;
  context.m_cost = cost.memory_kib;
  context.lanes = cost.lanes;
  context.threads = 1;  // logins run side by side; threads of one's own would only add to the load
  context.flags = ARGON2_DEFAULT_FLAGS;
  context.version = ARGON2_VERSION_13;
  const int result = argon2id_ctx(&context);
  OPENSSL_cleanse(password_copy.data(), password_copy.size());
  if (result == ARGON2_MEMORY_ALLOCATION_ERROR) return std::nullopt;
  SHOAL_ASSERT(result == ARGON2_OK);
  return out;
}

bool is_equal_secret(std::span<const uint8_t> a, std::span<const uint8_t> b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string base64_of(std::span<const uint8_t> data, Padding padding) {
  std::string out;
  for (size_t i = 0; i < data.size(); i += 3) {
    const size_t count = std::min<size_t>(3, data.size() - i);
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) group = group << 8 | (k < count ? data[i + k] : 0);
    for (size_t k = 0; k <= count; ++k) out += kAlphabet[group >> (18 - 6 * k) & 63];
    if (padding == Padding::kRequired) out.append(3 - count, '=');
  }
  return out;
}

std::optional<Bytes> base64_decoded(std::string_view text, Padding padding) {
  const auto digits = without_padding(text, padding);
  if (!digits || digits->size() % 4 == 1) return std::nullopt;
  Bytes out;
  uint32_t bits = 0;
  int bit_count = 0;
  for (const char c : *digits) {
    const int sextet = sextet_of(c);
    if (sextet < 0) return std::nullopt;
    bits = (bits << 6 | static_cast<uint32_t>(sextet)) & 0xffff;
    bit_count += 6;
    if (bit_count < 8) continue;
    bit_count -= 8;
    out.push_back(static_cast<uint8_t>(bits >> bit_count));
  }
  const bool has_stray_bits = (bits & ((1u << bit_count) - 1)) != 0;
  if (has_stray_bits) return std::nullopt;
  return out;
}

}  // namespace shoal
