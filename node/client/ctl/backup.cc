#include "node/client/ctl/backup.h"

#include <boost/json.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "node/client/backup/keeping.h"
#include "node/client/backup/making.h"
#include "node/client/ctl/admin_source.h"
#include "node/client/ctl/answer.h"

namespace shoal::ctl {
namespace {

namespace json = boost::json;
using backup::Manifest;
using backup::Progress;
using backup::Target;

std::string words_of(const absl::Status& status) { return std::string(status.message()); }

std::string mib(uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / (1024.0 * 1024.0));
  return text;
}

void print_json(const json::value& value) { std::printf("%s\n", json::serialize(value).c_str()); }

std::string contents_text(const Manifest& manifest) {
  return std::to_string(manifest.shards) + " shards with " + std::to_string(manifest.keys()) +
         " keys, " + std::to_string(manifest.retained.keys) + " retained records, " +
         mib(manifest.bytes());
}

json::object json_of(const Manifest& manifest) {
  return {{"name", manifest.name},       {"time", backup::utc_text_of(manifest.wall_ms)},
          {"cluster", manifest.cluster}, {"shards", manifest.shards},
          {"keys", manifest.keys()},     {"retained", manifest.retained.keys},
          {"bytes", manifest.bytes()}};
}

int make(Target& target, const CtlOptions& options) {
  const AdminClient client(options);
  AdminSource source(client);
  Progress progress(Progress::kind_of_terminal(), "backup");
  const auto made = backup::make_backup(source, target, options.backup.name, progress);
  progress.finish();
  if (!made.ok()) return fail(words_of(made.status()));
  if (options.json) {
    json::object out = json_of(made->manifest);
    out["chunks"] = made->chunks;
    out["new_chunks"] = made->new_chunks;
    out["new_bytes"] = made->new_bytes;
    out["new_stored"] = made->new_stored;
    out["seconds"] = progress.seconds();
    print_json(out);
    return 0;
  }
  std::printf("backup %s: %s; new of it: %s, stored as %s; %.1f s\n", made->manifest.name.c_str(),
              contents_text(made->manifest).c_str(), mib(made->new_bytes).c_str(),
              mib(made->new_stored).c_str(), progress.seconds());
  return 0;
}

int list(Target& target, bool as_json) {
  const auto found = backup::read_manifests(target);
  if (!found.ok()) return fail(words_of(found.status()));
  json::array rows;
  int status = 0;
  for (const backup::Found& each : *found) {
    if (!each.manifest.ok()) {
      status = fail(words_of(each.manifest.status()));
      continue;
    }
    if (as_json) {
      rows.push_back(json_of(*each.manifest));
    } else {
      std::printf("%s  %s  %s\n", each.name.c_str(),
                  backup::utc_text_of(each.manifest->wall_ms).c_str(),
                  contents_text(*each.manifest).c_str());
    }
  }
  if (as_json) print_json({{"backups", std::move(rows)}});
  return status;
}

int verify(Target& target, const CtlOptions& options) {
  const auto manifest = backup::find_manifest(target, options.backup.name);
  if (!manifest.ok()) return fail(words_of(manifest.status()));
  Progress progress(Progress::kind_of_terminal(), "verify");
  const std::vector<std::string> wrong = backup::verify(target, *manifest, progress);
  progress.finish();
  for (const std::string& each : wrong) fail(each);
  if (options.json) {
    json::object out = json_of(*manifest);
    out["wrong"] = json::value_from(wrong);
    print_json(out);
  } else if (wrong.empty()) {
    std::printf("backup %s is whole: %s\n", manifest->name.c_str(),
                contents_text(*manifest).c_str());
  } else {
    std::printf("backup %s is not whole\n", manifest->name.c_str());
  }
  return wrong.empty() ? 0 : 1;
}

int remove(Target& target, const CtlOptions& options) {
  const auto removed = backup::remove_backup(target, options.backup.name);
  if (!removed.ok()) return fail(words_of(removed.status()));
  if (options.json) {
    print_json(
        {{"name", options.backup.name}, {"chunks", removed->chunks}, {"bytes", removed->bytes}});
  } else {
    std::printf("backup %s is removed, and %s that only it needed\n", options.backup.name.c_str(),
                mib(removed->bytes).c_str());
  }
  return 0;
}

int restore(Target& target, const CtlOptions& options, const RestoreFunction& function) {
  if (!options.admin.empty()) {
    return fail("restore makes a directory of this machine: give --data-dir, not --admin");
  }
  const auto manifest = backup::find_manifest(target, options.backup.name);
  if (!manifest.ok()) return fail(words_of(manifest.status()));
  Progress progress(Progress::kind_of_terminal(), "restore");
  const auto cluster =
      function(target, *manifest, {options.data_dir, options.backup.replicas}, progress);
  progress.finish();
  if (!cluster.ok()) return fail(words_of(cluster.status()));
  if (options.json) {
    json::object out = json_of(*manifest);
    out["restored_cluster"] = *cluster;
    out["seconds"] = progress.seconds();
    print_json(out);
    return 0;
  }
  std::printf(
      "%s is the first node of a new cluster, %s, as of %s: %s\n"
      "Start it with `shoal serve --data-dir %s`, further nodes with --join and empty "
      "directories.\n",
      options.data_dir.c_str(), cluster->c_str(), backup::utc_text_of(manifest->wall_ms).c_str(),
      contents_text(*manifest).c_str(), options.data_dir.c_str());
  return 0;
}

}  // namespace

int run_backup(const CtlOptions& options, const RestoreFunction& function) {
  using Action = BackupOptions::Action;
  auto target = backup::target_of(options.backup.target, options.backup.s3);
  if (!target.ok()) return fail(words_of(target.status()));
  switch (options.backup.action) {
    case Action::kList: return list(**target, options.json);
    case Action::kVerify: return verify(**target, options);
    case Action::kRemove: return remove(**target, options);
    case Action::kRestore: return restore(**target, options, function);
    default: return make(**target, options);
  }
}

}  // namespace shoal::ctl
