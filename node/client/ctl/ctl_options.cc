#include "node/client/ctl/ctl_options.h"

#include <CLI/CLI.hpp>

#include "node/config/values.h"

namespace shoal::ctl {
namespace {

void add_patience(CLI::App& verb, CtlOptions& options, const std::string& help) {
  verb.add_option_function<std::string>(
          "--timeout",
          [&options](const std::string& text) {
            const auto duration = duration_of(text);
            if (!duration) {
              throw CLI::ValidationError("--timeout",
                                         "expected a duration such as 60s, got " + text);
            }
            options.patience = *duration;
          },
          help)
      ->type_name("DURATION")
      ->default_str(text_of(options.patience));
}

void add_verbs(CLI::App& app, CtlOptions& options) {
  app.require_subcommand(1);
  const auto verb = [&](const char* name, const char* help, Verb value) {
    CLI::App* const sub = app.add_subcommand(name, help);
    sub->set_help_flag("--help", "this text");
    sub->fallthrough();
    sub->callback([&options, value] { options.verb = value; });
    return sub;
  };
  verb("members", "the nodes of the cluster, as this one sees them", Verb::kMembers);
  verb("shards", "the durable state, by shard; figures of those with a replica here",
       Verb::kShards);
  verb("rebalance", "where replicas are, where they should be, and what is under way",
       Verb::kRebalance)
      ->add_flag("--watch", options.wait, "until all is level, with progress");
  verb("sessions",
       "the sessions of this node's clients, and the absent ones of the shards that it leads",
       Verb::kSessions);
  verb("subscriptions", "the subscriptions of this node's sessions", Verb::kSubscriptions)
      ->add_option("client", options.subject, "only those of this client id");
  verb("retained", "retained messages, without their payloads", Verb::kRetained)
      ->add_option("filter", options.subject, "only of topics that it matches; else all but $SYS");
  CLI::App* const drain = verb("drain", "not ready any more; clients are closed", Verb::kDrain);
  drain->add_option("--rate", options.per_second, "clients to close a second; 0 ends the draining")
      ->capture_default_str();
  drain->add_flag("--wait", options.wait, "until no client is left, with progress");
  add_patience(*drain, options, "with --wait: fail after so long");
  CLI::App* const leave =
      verb("leave", "this node's replicas move to others; then it is drained and forgotten by them",
           Verb::kLeave);
  CLI::Option* const now = leave->add_flag("--now", options.at_once, "replicas go with the node");
  leave->add_flag("--wait", options.wait, "until replicas are elsewhere, as without --now")
      ->excludes(now);
  leave->add_option("--rate", options.per_second, "clients to close a second")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  add_patience(*leave, options, "clients that are here after so long are closed at once");
  verb("remove", "a dead node is forgotten: it counts for no majority any more", Verb::kRemove)
      ->add_option("node", options.subject, "its name or id")
      ->required();
  verb("kick", "close a client's connection; its session stays", Verb::kKick)
      ->add_option("client", options.subject, "its client id")
      ->required();
  add_backup_verbs(app, options.backup);
}

}  // namespace

std::variant<CtlOptions, ClientUsage> ctl_options_of(int argc, const char* const* argv) {
  CtlOptions options;
  CLI::App app{"Looks at a running node and its cluster, and changes them.", "shoal ctl"};
  app.set_help_flag("--help", "this text");
  CLI::Option* const data_dir =
      app.add_option("--data-dir", options.data_dir, "of the node, on this machine")
          ->envname("SHOAL_DATA_DIR")
          ->capture_default_str();
  CLI::Option* const admin =
      app.add_option("--admin", options.admin, "http://HOST:PORT of the node's admin address");
  data_dir->excludes(admin);
  app.add_option("--token-file", options.token_file, "the admin address's token")->needs(admin);
  app.add_flag("--json", options.json, "what the node says, as it is");
  add_verbs(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return ClientUsage{0, app.help("", CLI::AppFormatMode::All)};
  } catch (const CLI::ParseError& error) {
    return ClientUsage{2, error.what()};
  }
  return options;
}

}  // namespace shoal::ctl
