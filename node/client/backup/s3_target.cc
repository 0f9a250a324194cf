#include "node/client/backup/s3_target.h"

#include <chrono>
#include <ctime>
#include <thread>
#include <utility>

#include "node/client/backup/chunk.h"
#include "node/client/backup/http_client.h"

namespace shoal::backup {
namespace {

constexpr std::string_view kScheme = "s3://";
constexpr int kAttempts = 4;
constexpr std::chrono::milliseconds kFirstPause(250);

constexpr int kOk = 200;
constexpr int kNoContent = 204;
constexpr int kNotFound = 404;
constexpr int kTooMany = 429;
constexpr int kServersFault = 500;

std::string amz_date_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts)};
}

std::string unescaped(std::string text) {
  static constexpr std::pair<std::string_view, std::string_view> kEntities[] = {
      {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&apos;", "'"}, {"&amp;", "&"}};
  for (const auto& [entity, sign] : kEntities) {
    for (size_t at = 0; (at = text.find(entity, at)) != std::string::npos; at += sign.size()) {
      text.replace(at, entity.size(), sign);
    }
  }
  return text;
}

class S3Target : public Target {
 public:
  S3Target(std::string text, std::string bucket, std::string prefix, std::string region,
           S3Keys keys, std::unique_ptr<HttpClient> client)
      : text_(std::move(text)),
        bucket_(std::move(bucket)),
        prefix_(std::move(prefix)),
        region_(std::move(region)),
        keys_(std::move(keys)),
        client_(std::move(client)) {}

  std::string text() const override { return text_; }
  absl::Status put(const std::string& name, const std::string& bytes) override;
  absl::StatusOr<std::optional<std::string>> get(const std::string& name) override;
  absl::StatusOr<std::vector<StoredObject>> list(const std::string& prefix) override;
  absl::Status remove(const std::string& name) override;

 private:
  using Query = std::map<std::string, std::string>;
  HttpRequest signed_request(const std::string& method, const std::string& path, const Query& query,
                             const std::string& body) const;
  // Again, where it may be of use.
  absl::StatusOr<HttpReply> ask(const std::string& method, const std::string& name,
                                const Query& query = {}, const std::string& body = {});
  std::string path_of(const std::string& name) const {
    return "/" + bucket_ + (name.empty() ? "" : "/" + prefix_ + name);
  }
  absl::Status refused(const std::string& what, const HttpReply& reply) const;

  const std::string text_;
  const std::string bucket_;
  const std::string prefix_;  // empty, or with a slash at its end
  const std::string region_;
  const S3Keys keys_;
  const std::unique_ptr<HttpClient> client_;
};

HttpRequest S3Target::signed_request(const std::string& method, const std::string& path,
                                     const Query& query, const std::string& body) const {
  S3Request request{.method = method, .path = path, .query = query, .headers = {}};
  request.headers["host"] = client_->endpoint().host_header();
  request.headers["x-amz-content-sha256"] = hash_of(body);
  request.headers["x-amz-date"] = amz_date_now();
  if (!keys_.token.empty()) request.headers["x-amz-security-token"] = keys_.token;
  HttpRequest out{method, s3_request_target(request), request.headers, body};
  out.headers["authorization"] = s3_authorization(keys_, region_, request);
  return out;
}

absl::StatusOr<HttpReply> S3Target::ask(const std::string& method, const std::string& name,
                                        const Query& query, const std::string& body) {
  auto pause = kFirstPause;
  for (int attempt = 1;; ++attempt, pause *= 2) {
    absl::StatusOr<HttpReply> reply =
        client_->exchange(signed_request(method, path_of(name), query, body));
    const bool may_pass =
        !reply.ok() || reply->status >= kServersFault || reply->status == kTooMany;
    if (!may_pass || attempt == kAttempts) {
      if (reply.ok()) return reply;
      return absl::UnavailableError(text_ + ": " + std::string(reply.status().message()));
    }
    std::this_thread::sleep_for(pause);
  }
}

// S3 says why in XML.
absl::Status S3Target::refused(const std::string& what, const HttpReply& reply) const {
  size_t at = 0;
  std::string why = xml_value_of(reply.body, "Code", at);
  at = 0;
  const std::string message = xml_value_of(reply.body, "Message", at);
  if (!message.empty()) why += ": " + message;
  return absl::UnavailableError(text_ + ": " + what + ": the server answered " +
                                std::to_string(reply.status) + (why.empty() ? "" : ", " + why));
}

absl::Status S3Target::put(const std::string& name, const std::string& bytes) {
  const auto reply = ask("PUT", name, {}, bytes);
  if (!reply.ok()) return reply.status();
  return reply->status == kOk ? absl::OkStatus() : refused(name + " cannot be written", *reply);
}

absl::StatusOr<std::optional<std::string>> S3Target::get(const std::string& name) {
  auto reply = ask("GET", name);
  if (!reply.ok()) return reply.status();
  if (reply->status == kOk) return std::optional<std::string>(std::move(reply->body));
  size_t at = 0;
  // A bucket that is not there is another thing than an object that is not.
  const bool is_bucket = xml_value_of(reply->body, "Code", at) == "NoSuchBucket";
  if (reply->status == kNotFound && !is_bucket) return std::nullopt;
  return refused(name + " cannot be read", *reply);
}

absl::StatusOr<std::vector<StoredObject>> S3Target::list(const std::string& prefix) {
  std::vector<StoredObject> found;
  Query query{{"list-type", "2"}, {"prefix", prefix_ + prefix}};
  while (true) {
    const auto reply = ask("GET", "", query);
    if (!reply.ok()) return reply.status();
    if (reply->status != kOk) return refused(prefix + " cannot be listed", *reply);
    size_t at = 0;
    while (true) {
      const std::string contents = xml_value_of(reply->body, "Contents", at);
      if (at == std::string::npos) break;
      size_t inner = 0;
      const std::string key = unescaped(xml_value_of(contents, "Key", inner));
      inner = 0;
      const std::string size = xml_value_of(contents, "Size", inner);
      if (!key.starts_with(prefix_ + prefix)) continue;
      found.push_back({key.substr(prefix_.size()), std::strtoull(size.c_str(), nullptr, 10)});
    }
    at = 0;
    if (xml_value_of(reply->body, "IsTruncated", at) != "true") return found;
    at = 0;
    const std::string token = unescaped(xml_value_of(reply->body, "NextContinuationToken", at));
    if (token.empty() || token == query["continuation-token"]) {
      return absl::DataLossError(text_ + ": a list of " + prefix + " does not go on");
    }
    query["continuation-token"] = token;
  }
}

absl::Status S3Target::remove(const std::string& name) {
  const auto reply = ask("DELETE", name);
  if (!reply.ok()) return reply.status();
  const bool is_gone =
      reply->status == kOk || reply->status == kNoContent || reply->status == kNotFound;
  return is_gone ? absl::OkStatus() : refused(name + " cannot be removed", *reply);
}

}  // namespace

std::string xml_value_of(const std::string& text, const std::string& name, size_t& at) {
  const std::string open = "<" + name + ">";
  const size_t begin = at == std::string::npos ? at : text.find(open, at);
  const size_t end = begin == std::string::npos ? begin : text.find("</" + name + ">", begin);
  at = end;
  if (end == std::string::npos) return {};
  return text.substr(begin + open.size(), end - begin - open.size());
}

absl::StatusOr<std::unique_ptr<Target>> make_s3_target(const std::string& text,
                                                       const S3Options& options, S3Keys keys) {
  std::string_view rest = text;
  rest.remove_prefix(kScheme.size());
  const size_t slash = rest.find('/');
  const std::string bucket(rest.substr(0, slash));
  std::string prefix(slash == rest.npos ? "" : rest.substr(slash + 1));
  while (prefix.ends_with('/')) prefix.pop_back();
  if (!prefix.empty()) prefix += '/';
  if (bucket.empty()) {
    return absl::InvalidArgumentError("expected s3://BUCKET[/PREFIX], got \"" + text + "\"");
  }
  const std::string url =
      options.endpoint.empty() ? "https://s3." + options.region + ".scw.cloud" : options.endpoint;
  absl::StatusOr<HttpEndpoint> endpoint = http_endpoint_of(url);
  if (!endpoint.ok()) {
    return absl::InvalidArgumentError("--s3-endpoint: " + std::string(endpoint.status().message()));
  }
  auto client = std::make_unique<HttpClient>(*std::move(endpoint), options.ca_file);
  return std::make_unique<S3Target>(text, bucket, prefix, options.region, std::move(keys),
                                    std::move(client));
}

}  // namespace shoal::backup
