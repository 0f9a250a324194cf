// A SCRAM-SHA-256 client as RFC 5802 has it. A header alone, for any test program.
#pragma once

#include <charconv>
#include <string>
#include <string_view>

#include "node/auth/crypto.h"
#include "shoal/byte_view.h"

namespace shoal {

struct ScramClient {
  std::string gs2_header = "n,,";
  std::string first_bare;  // "n=user,r=nonce"
  std::string password;

  std::string first() const { return gs2_header + first_bare; }

  // What follows server-first; `extensions` begin with a comma.
  std::string final_of(const std::string& server_first, const std::string& extensions = "") {
    const std::string nonce = server_first.substr(0, server_first.find(','));
    const std::string without_proof =
        "c=" + base64_of(bytes_of(gs2_header)) + "," + nonce + extensions;
    auth_message_ = first_bare + "," + server_first + "," + without_proof;
    salted_ = salted_password(server_first);
    Sha256 proof = hmac_sha256(salted_, bytes_of("Client Key"));
    const Sha256 signature = hmac_sha256(sha256(proof), bytes_of(auth_message_));
    for (size_t i = 0; i < proof.size(); ++i) proof[i] ^= signature[i];
    return without_proof + ",p=" + base64_of(proof);
  }
  // What a server that knows the password says last.
  std::string expected_server_final() const {
    const Sha256 server_key = hmac_sha256(salted_, bytes_of("Server Key"));
    return "v=" + base64_of(hmac_sha256(server_key, bytes_of(auth_message_)));
  }

 private:
  Sha256 salted_password(std::string_view server_first) const {
    const size_t salt = server_first.find(",s=") + 3;
    const size_t end = server_first.find(",i=");
    uint32_t iterations = 0;
    std::from_chars(server_first.data() + end + 3, server_first.data() + server_first.size(),
                    iterations);
    return pbkdf2_sha256(password, *base64_decoded(server_first.substr(salt, end - salt)),
                         iterations);
  }

  std::string auth_message_;
  Sha256 salted_{};
};

}  // namespace shoal
