#include "node/auth/scram.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "shoal/byte_view.h"

namespace shoal {
namespace {

// An attribute and its value, "r=abc"; RFC 5802, 5.1 fixes their order, so each is asked for.
std::optional<std::string_view> take_attribute(std::string_view& rest, char name) {
  if (rest.size() < 2 || rest[0] != name || rest[1] != '=') return std::nullopt;
  const size_t comma = std::min(rest.find(','), rest.size());
  const std::string_view value = rest.substr(2, comma - 2);
  rest.remove_prefix(std::min(comma + 1, rest.size()));
  return value;
}

// A saslname writes "," as "=2C" and "=" as "=3D"; any other "=" is an error.
std::optional<std::string> saslname_decoded(std::string_view name) {
  std::string decoded;
  for (size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '\0') return std::nullopt;
    if (name[i] != '=') {
      decoded += name[i];
      continue;
    }
    const std::string_view code = name.substr(i + 1, 2);
    if (code != "2C" && code != "3D") return std::nullopt;
    decoded += code == "2C" ? ',' : '=';
    i += 2;
  }
  if (decoded.empty()) return std::nullopt;
  return decoded;
}

bool is_nonce(std::string_view nonce) {
  return !nonce.empty() && std::all_of(nonce.begin(), nonce.end(),
                                       [](char c) { return c >= 0x21 && c <= 0x7e && c != ','; });
}

// Extensions that may follow, "name=value,..."; ours are none, so they are only looked over.
bool is_extensions(std::string_view rest) {
  while (!rest.empty()) {
    const bool is_letter = (rest[0] >= 'a' && rest[0] <= 'z') || (rest[0] >= 'A' && rest[0] <= 'Z');
    if (!is_letter || !take_attribute(rest, rest[0])) return false;
  }
  return true;
}

struct ClientFirst {
  std::string_view gs2_header;  // with its last comma
  std::string_view bare;
  std::string user;
  std::string_view nonce;
  const char* error = nullptr;  // RFC 5802's server-error-value
};

ClientFirst refused(const char* error) {
  ClientFirst first;
  first.error = error;
  return first;
}

ClientFirst client_first_of(std::string_view message) {
  ClientFirst first;
  const size_t flag_end = message.find(',');
  const size_t header_end =
      flag_end == std::string_view::npos ? flag_end : message.find(',', flag_end + 1);
  if (header_end == std::string_view::npos) return refused("other-error");
  const std::string_view flag = message.substr(0, flag_end);
  // "y": the client could bind to the channel and thinks that we cannot. So it is: we offer no
  // PLUS.
  if (flag.starts_with("p=")) return refused("channel-binding-not-supported");
  if (flag != "n" && flag != "y") return refused("other-error");
  std::string_view authzid = message.substr(flag_end + 1, header_end - flag_end - 1);
  first.gs2_header = message.substr(0, header_end + 1);
  first.bare = message.substr(header_end + 1);
  std::string_view rest = first.bare;
  if (rest.starts_with("m=")) return refused("extensions-not-supported");
  const auto name = take_attribute(rest, 'n');
  const auto user = name ? saslname_decoded(*name) : std::nullopt;
  if (!user) return refused("invalid-username-encoding");
  const auto nonce = take_attribute(rest, 'r');
  if (!nonce || !is_nonce(*nonce) || !is_extensions(rest)) return refused("other-error");
  if (!authzid.empty()) {
    // Nobody may act as somebody else.
    const auto acting_as = take_attribute(authzid, 'a');
    if (!acting_as || saslname_decoded(*acting_as) != user) return refused("other-error");
  }
  first.user = *user;
  first.nonce = *nonce;
  return first;
}

Sha256 stored_key_of(const Sha256& salted_password) {
  return sha256(hmac_sha256(salted_password, bytes_of("Client Key")));
}

}  // namespace

ScramCredential scram_credential_of(std::string_view password, std::span<const uint8_t> salt,
                                    uint32_t iterations) {
  const Sha256 salted = pbkdf2_sha256(password, salt, iterations);
  return {.iterations = iterations,
          .salt = Bytes(salt.begin(), salt.end()),
          .stored_key = stored_key_of(salted),
          .server_key = hmac_sha256(salted, bytes_of("Server Key"))};
}

bool is_scram_password(const ScramCredential& credential, std::string_view password) {
  const Sha256 salted = pbkdf2_sha256(password, credential.salt, credential.iterations);
  return is_equal_secret(stored_key_of(salted), credential.stored_key);
}

ScramServer::ScramServer(std::string nonce, Lookup lookup)
    : nonce_(std::move(nonce)), lookup_(std::move(lookup)) {}

ScramServer::Step ScramServer::on_message(std::string_view message) {
  switch (state_) {
    case State::kClientFirst: return on_client_first(message);
    case State::kClientFinal: return on_client_final(message);
    case State::kDone: break;
  }
  return fail("other-error");
}

ScramServer::Step ScramServer::fail(std::string_view error) {
  state_ = State::kDone;
  return {Outcome::kFailure, "e=" + std::string(error)};
}

ScramServer::Step ScramServer::on_client_first(std::string_view message) {
  ClientFirst first = client_first_of(message);
  if (first.error != nullptr) return fail(first.error);
  user_ = std::move(first.user);
  credential_ = lookup_(user_);
  gs2_header_ = first.gs2_header;
  combined_nonce_ = std::string(first.nonce) + nonce_;
  std::string reply = "r=" + combined_nonce_ + ",s=" + base64_of(credential_.salt) +
                      ",i=" + std::to_string(credential_.iterations);
  auth_message_ = std::string(first.bare) + "," + reply;
  state_ = State::kClientFinal;
  return {Outcome::kContinue, std::move(reply)};
}

ScramServer::Step ScramServer::on_client_final(std::string_view message) {
  const size_t proof_at = message.rfind(",p=");
  if (proof_at == std::string_view::npos) return fail("other-error");
  std::string_view rest = message.substr(0, proof_at);
  const auto binding = take_attribute(rest, 'c');
  const auto nonce = take_attribute(rest, 'r');
  const auto proof = base64_decoded(message.substr(proof_at + 3));
  if (!binding || !nonce || !is_extensions(rest)) return fail("other-error");
  if (*binding != base64_of(bytes_of(gs2_header_))) return fail("channel-bindings-dont-match");
  if (*nonce != combined_nonce_) return fail("other-error");
  if (!proof || proof->size() != Sha256{}.size()) return fail("invalid-encoding");

  const std::string auth_message = auth_message_ + "," + std::string(message.substr(0, proof_at));
  // ClientKey is what, xored with the signature, gives the proof; its hash is all that we know.
  Sha256 client_key = hmac_sha256(credential_.stored_key, bytes_of(auth_message));
  for (size_t i = 0; i < client_key.size(); ++i) client_key[i] ^= (*proof)[i];
  if (!is_equal_secret(sha256(client_key), credential_.stored_key)) return fail("invalid-proof");
  state_ = State::kDone;
  return {Outcome::kSuccess,
          "v=" + base64_of(hmac_sha256(credential_.server_key, bytes_of(auth_message)))};
}

}  // namespace shoal
