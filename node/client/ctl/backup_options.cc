#include "node/client/ctl/backup_options.h"

#include <CLI/CLI.hpp>

#include "node/client/backup/manifest.h"

namespace shoal::ctl {
namespace {

using Action = BackupOptions::Action;

constexpr uint32_t kReplicasMax = 7;

void add_target(CLI::App& verb, BackupOptions& options) {
  verb.add_option("target", options.target, "a directory, or s3://BUCKET[/PREFIX]");
}

void add_s3(CLI::App& verb, BackupOptions& options) {
  backup::S3Options& s3 = options.s3;
  verb.add_option("--s3-endpoint", s3.endpoint,
                  "https://HOST[:PORT] of the S3 server; else Scaleway's of the region");
  verb.add_option("--s3-region", s3.region, "its region")->capture_default_str();
  verb.add_option("--s3-ca", s3.ca_file, "authorities of its certificate; else the system's");
}

CLI::Option* add_name(CLI::App& verb, BackupOptions& options, const std::string& help) {
  return verb.add_option("--name", options.name, help);
}

// What CLI11 cannot say, since a target's place is the commands' under it, too.
void check(const BackupOptions& options) {
  if (options.target.empty()) throw CLI::RequiredError("target");
  if (options.action == Action::kRemove && options.name.empty()) throw CLI::RequiredError("name");
  if (!options.name.empty() && !backup::is_backup_name(options.name)) {
    throw CLI::ValidationError(
        "--name", "expected letters, digits and -._ , at most 100, got \"" + options.name + "\"");
  }
}

void add_backup(CLI::App& app, BackupOptions& options) {
  CLI::App* const backup =
      app.add_subcommand("backup", "all durable state and the retained messages, as of one moment");
  const auto under = [&options, backup](const char* name, const char* help) {
    CLI::App* const sub = backup->add_subcommand(name, help);
    sub->set_help_flag("--help", "this text");
    sub->fallthrough();
    add_target(*sub, options);
    add_s3(*sub, options);
    return sub;
  };
  backup->set_help_flag("--help", "this text");
  backup->fallthrough();
  backup->require_subcommand(0, 1);
  add_target(*backup, options);
  add_s3(*backup, options);
  add_name(*backup, options, "the new backup's; else the time of it");
  const CLI::App* const list = under("list", "the backups that are there");
  CLI::App* const verify = under("verify", "reads all of a backup, and says what is wrong with it");
  add_name(*verify, options, "the backup's; else the newest");
  CLI::App* const remove = under("remove", "a backup goes, and what no other one needs of it");
  remove->add_option("name", options.name, "the backup's");
  backup->callback([&options, list, verify, remove] {
    options.action = list->parsed()     ? Action::kList
                     : verify->parsed() ? Action::kVerify
                     : remove->parsed() ? Action::kRemove
                                        : Action::kMake;
    check(options);
  });
}

}  // namespace

void add_backup_verbs(CLI::App& app, BackupOptions& options) {
  add_backup(app, options);
  CLI::App* const restore = app.add_subcommand(
      "restore", "a backup becomes the data directory of the first node of a new cluster");
  restore->set_help_flag("--help", "this text");
  restore->fallthrough();
  add_target(*restore, options);
  add_s3(*restore, options);
  add_name(*restore, options, "the backup's; else the newest");
  restore
      ->add_option("--replicas", options.replicas,
                   "wanted of each shard; else as many as in the backup's cluster")
      ->check(CLI::Range(uint32_t{1}, kReplicasMax));
  restore->callback([&options] {
    options.action = Action::kRestore;
    check(options);
  });
}

}  // namespace shoal::ctl
