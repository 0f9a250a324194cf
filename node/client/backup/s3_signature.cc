#include "node/client/backup/s3_signature.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "node/client/backup/chunk.h"
#include "node/client/backup/http_client.h"

namespace shoal::backup {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr size_t kDateDigits = 8;

std::string query_text_of(const S3Request& request) {
  std::map<std::string, std::string> encoded;  // in the order that they have encoded
  for (const auto& [name, value] : request.query) {
    encoded[percent_encoded(name)] = percent_encoded(value);
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

}  // namespace

std::string s3_request_target(const S3Request& request) {
  const std::string query = query_text_of(request);
  return percent_encoded(request.path, "/") + (query.empty() ? "" : "?" + query);
}

std::string s3_authorization(const S3Keys& keys, const std::string& region,
                             const S3Request& request) {
  std::string headers, signed_headers;
  for (const auto& [name, value] : request.headers) {
    headers += name + ":" + value + "\n";
    signed_headers += (signed_headers.empty() ? "" : ";") + name;
  }
  const std::string canonical = request.method + "\n" + percent_encoded(request.path, "/") + "\n" +
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
