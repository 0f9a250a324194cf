#include "node/client/backup/s3_signature.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "node/client/backup/chunk.h"

namespace shoal::backup {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr size_t kDateDigits = 8;

// All but what RFC 3986 leaves as it is.
std::string uri_encoded(std::string_view text, std::string_view as_is) {
  static constexpr char kHexDigits[] = "0123456789ABCDEF";
  static constexpr std::string_view kUnreserved =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string out;
  for (const char c : text) {
    if (kUnreserved.find(c) != std::string_view::npos || as_is.find(c) != std::string_view::npos) {
      out += c;
    } else {
      const auto byte = static_cast<uint8_t>(c);
      out += {'%', kHexDigits[byte >> 4], kHexDigits[byte & 15]};
    }
  }
  return out;
}

std::string query_text_of(const S3Request& request) {
  std::map<std::string, std::string> encoded;  // in the order that they have encoded
  for (const auto& [name, value] : request.query) {
    encoded[uri_encoded(name, "")] = uri_encoded(value, "");
  }
  std::string text;
  for (const auto& [name, value] : encoded) {
    text += (text.empty() ? "" : "&") + name + "=" + value;
  }
  return text;
}

std::string hmac(std::string_view key, std::string_view data) {
  uint8_t out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const uint8_t*>(data.data()), data.size(), out, &size);
  return {reinterpret_cast<const char*>(out), size};
}

std::string hex_of(std::string_view bytes) {
  static constexpr char kHexDigits[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<uint8_t>(c);
    text += {kHexDigits[byte >> 4], kHexDigits[byte & 15]};
  }
  return text;
}

}  // namespace

std::string s3_request_target(const S3Request& request) {
  const std::string query = query_text_of(request);
  return uri_encoded(request.path, "/") + (query.empty() ? "" : "?" + query);
}

std::string s3_authorization(const S3Keys& keys, const std::string& region,
                             const S3Request& request) {
  std::string headers, signed_headers;
  for (const auto& [name, value] : request.headers) {
    headers += name + ":" + value + "\n";
    signed_headers += (signed_headers.empty() ? "" : ";") + name;
  }
  const std::string canonical = request.method + "\n" + uri_encoded(request.path, "/") + "\n" +
                                query_text_of(request) + "\n" + headers + "\n" + signed_headers +
                                "\n" + request.headers.at("x-amz-content-sha256");
  const std::string& when = request.headers.at("x-amz-date");
  const std::string date = when.substr(0, kDateDigits);
  const std::string scope = date + "/" + region + "/s3/aws4_request";
  const std::string to_sign =
      std::string(kAlgorithm) + "\n" + when + "\n" + scope + "\n" + hash_of(canonical);
  const std::string key =
      hmac(hmac(hmac(hmac("AWS4" + keys.secret, date), region), "s3"), "aws4_request");
  return std::string(kAlgorithm) + " Credential=" + keys.id + "/" + scope +
         ",SignedHeaders=" + signed_headers + ",Signature=" + hex_of(hmac(key, to_sign));
}

}  // namespace shoal::backup
