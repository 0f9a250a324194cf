#include "node/client/backup/manifest.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <utility>

#include "node/client/backup/chunk.h"
#include "shoal/types.h"

namespace shoal::backup {
namespace {

namespace json = boost::json;

constexpr int kManifestFormat = 1;
constexpr size_t kNameMax = 100;
constexpr size_t kHashDigits = 64;
constexpr std::string_view kFolder = "backups/";
constexpr std::string_view kSuffix = ".json";
// The text's last member is the hash of all that stands before it.
constexpr std::string_view kSum = ",\n\"sha256\":\"";
constexpr std::string_view kSumEnd = "\"}\n";

std::string digits_of(uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

// Of a manifest whose sum is right, and yet makes no sense.
struct Nonsense {
  std::string what;
};

std::string text_in(const json::value& from, const char* key) {
  return std::string(from.at(key).as_string());
}

uint64_t number_in(const json::value& from, const char* key) {
  return from.at(key).to_number<uint64_t>();
}

uint64_t digits_in(const json::value& from, const char* key) {
  const std::string text = text_in(from, key);
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) throw Nonsense{key};
  return value;
}

bool is_hash(std::string_view text) {
  return text.size() == kHashDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

json::object json_of(const Part& part) {
  json::array chunks;
  for (const ChunkRef& each : part.chunks) {
    chunks.push_back(json::array{each.hash, each.bytes, each.stored, each.keys});
  }
  return {{"index", part.index},
          {"term", part.term},
          {"keys", part.keys},
          {"bytes", part.bytes},
          {"chunks", std::move(chunks)}};
}

Part part_of(const json::value& from) {
  Part part{.index = number_in(from, "index"),
            .term = number_in(from, "term"),
            .keys = number_in(from, "keys"),
            .bytes = number_in(from, "bytes")};
  for (const json::value& each : from.at("chunks").as_array()) {
    const json::array& row = each.as_array();
    part.chunks.push_back({std::string(row.at(0).as_string()), row.at(1).to_number<uint64_t>(),
                           row.at(2).to_number<uint64_t>(), row.at(3).to_number<uint64_t>()});
    if (!is_hash(part.chunks.back().hash)) throw Nonsense{"a chunk's hash"};
  }
  return part;
}

Manifest manifest_in(const json::value& from) {
  Manifest manifest{.name = text_in(from, "name"),
                    .wall_ms = from.at("wall_ms").to_number<int64_t>(),
                    .cluster = text_in(from, "cluster"),
                    .seed = digits_in(from, "seed"),
                    .shards = from.at("shards").to_number<uint32_t>(),
                    .replicas = from.at("replicas").to_number<uint32_t>(),
                    .software = text_in(from, "software"),
                    .protocol = from.at("protocol").to_number<uint32_t>()};
  for (const json::value& each : from.at("members").as_array()) {
    manifest.members.push_back(
        {digits_in(each, "id"), text_in(each, "name"), number_in(each, "incarnation")});
  }
  for (const json::value& each : from.at("parts").as_array()) {
    manifest.parts.push_back(part_of(each));
  }
  manifest.retained = part_of(from.at("retained"));
  if (manifest.shards == 0 || manifest.shards > kShardsMax ||
      manifest.parts.size() != manifest.shards || manifest.replicas == 0) {
    throw Nonsense{"shards"};
  }
  return manifest;
}

}  // namespace

uint64_t Manifest::bytes() const {
  uint64_t sum = retained.bytes;
  for (const Part& part : parts) sum += part.bytes;
  return sum;
}

uint64_t Manifest::keys() const {
  uint64_t sum = 0;
  for (const Part& part : parts) sum += part.keys;
  return sum;
}

bool is_backup_name(std::string_view name) {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._";
  return !name.empty() && name.size() <= kNameMax && name.front() != '.' &&
         name.find_first_not_of(kLetters) == std::string_view::npos;
}

std::string manifest_name(const std::string& name) {
  return std::string(kFolder) + name + std::string(kSuffix);
}

std::string utc_text_of(int64_t wall_ms) {
  const std::time_t seconds = wall_ms / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  const size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return std::string(text, size);
}

std::string text_of(const Manifest& manifest) {
  json::array members, parts;
  for (const BackupMember& each : manifest.members) {
    members.push_back(json::object{
        {"id", digits_of(each.id)}, {"name", each.name}, {"incarnation", each.incarnation}});
  }
  for (const Part& each : manifest.parts) parts.push_back(json_of(each));
  const json::object object{{"format", kManifestFormat},
                            {"name", manifest.name},
                            {"time", utc_text_of(manifest.wall_ms)},
                            {"wall_ms", manifest.wall_ms},
                            {"cluster", manifest.cluster},
                            {"seed", digits_of(manifest.seed)},
                            {"shards", manifest.shards},
                            {"replicas", manifest.replicas},
                            {"software", manifest.software},
                            {"protocol", manifest.protocol},
                            {"members", std::move(members)},
                            {"parts", std::move(parts)},
                            {"retained", json_of(manifest.retained)}};
  std::string text = json::serialize(object);
  text.pop_back();  // the brace comes behind the sum
  const std::string sum = hash_of(text);
  return text + std::string(kSum) + sum + std::string(kSumEnd);
}

absl::StatusOr<Manifest> manifest_of(std::string_view text) {
  const size_t sum_at = text.rfind(kSum);
  if (sum_at == std::string_view::npos ||
      text.substr(sum_at) !=
          std::string(kSum) + hash_of(text.substr(0, sum_at)) + std::string(kSumEnd)) {
    return absl::DataLossError("is damaged, or no backup's manifest");
  }
  try {
    const json::value value = json::parse(std::string(text));
    const auto format = value.at("format").to_number<int64_t>();
    if (format != kManifestFormat) {
      return absl::DataLossError("is of format " + std::to_string(format) +
                                 ", this program knows 1");
    }
    return manifest_in(value);
  } catch (const Nonsense& nonsense) {
    return absl::DataLossError("makes no sense: " + nonsense.what);
  } catch (const std::exception& error) {
    return absl::DataLossError(std::string("makes no sense: ") + error.what());
  }
}

absl::StatusOr<Manifest> read_manifest(Target& target, const std::string& name) {
  const std::string where = target.text() + ": " + manifest_name(name);
  const auto text = target.get(manifest_name(name));
  if (!text.ok()) return text.status();
  if (!*text) return absl::NotFoundError(target.text() + ": there is no backup " + name);
  absl::StatusOr<Manifest> manifest = manifest_of(**text);
  if (!manifest.ok()) {
    return absl::DataLossError(where + " " + std::string(manifest.status().message()));
  }
  if (manifest->name != name) {
    return absl::DataLossError(where + " is of the backup " + manifest->name);
  }
  return manifest;
}

absl::StatusOr<std::vector<Found>> read_manifests(Target& target) {
  const auto objects = target.list(std::string(kFolder));
  if (!objects.ok()) return objects.status();
  std::vector<Found> found;
  for (const StoredObject& each : *objects) {
    std::string_view name = each.name;
    name.remove_prefix(std::min(name.size(), kFolder.size()));
    if (!name.ends_with(kSuffix)) continue;
    name.remove_suffix(kSuffix.size());
    if (!is_backup_name(name)) continue;
    found.push_back({std::string(name), read_manifest(target, std::string(name))});
  }
  const auto when = [](const Found& one) { return one.manifest.ok() ? one.manifest->wall_ms : 0; };
  std::sort(found.begin(), found.end(), [&when](const Found& a, const Found& b) {
    return std::pair(when(a), a.name) < std::pair(when(b), b.name);
  });
  return found;
}

absl::StatusOr<Manifest> find_manifest(Target& target, const std::string& name) {
  if (!name.empty()) return read_manifest(target, name);
  auto found = read_manifests(target);
  if (!found.ok()) return found.status();
  if (found->empty()) return absl::NotFoundError(target.text() + ": there is no backup");
  // The newest may be the one that is damaged: another one is not taken for it in silence.
  for (const Found& each : *found) {
    if (!each.manifest.ok()) return each.manifest.status();
  }
  return std::move(found->back().manifest);
}

}  // namespace shoal::backup
