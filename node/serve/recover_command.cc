#include "node/serve/recover_command.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <ostream>
#include <sstream>

#include "cluster/core/store_plan.h"
#include "cluster/engine/recovery.h"
#include "node/runtime/data_dir.h"
#include "node/serve/hex.h"
#include "node/serve/recovery_report.h"
#include "node/serve/state_file.h"
#include "node/serve/state_writer.h"

namespace shoal {
namespace {

using engine::NodeReport;
using engine::RecoveryPlan;
using engine::ShardRecovery;
using Kind = ShardRecovery::Kind;

constexpr std::string_view kRecoverUsage =
    "usage: shoal recover --data-dir DIR report\n"
    "       shoal recover --data-dir DIR apply REPORT... [--yes]\n\n"
    "For a cluster that has lost more nodes for good than it bears. All nodes are stopped. On "
    "each\n"
    "that is left `report` prints what it holds, one line for a file; then `apply` is given the\n"
    "reports of all that are left, on each of them. It says what becomes of each shard and what "
    "may\n"
    "be lost, and does it with --yes. The others may never come back: they are removed.\n";

struct RecoverOptions {
  std::string directory;
  bool is_report = false;
  bool is_sure = false;
  std::vector<std::string> files;
};

std::variant<RecoverOptions, std::string> recover_options_of(const Args& args) {
  RecoverOptions options;
  std::vector<std::string> words;
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i] == "--yes") {
      options.is_sure = true;
    } else if (args[i] == "--data-dir") {
      if (++i == args.size()) return "--data-dir: expected a directory";
      options.directory = args[i];
    } else if (args[i].starts_with("--data-dir=")) {
      options.directory = args[i].substr(args[i].find('=') + 1);
    } else if (args[i].starts_with('-')) {
      return args[i] + ": no such option";
    } else {
      words.push_back(args[i]);
    }
  }
  if (options.directory.empty()) return "--data-dir: expected the directory of the node";
  if (words.empty() || (words[0] != "report" && words[0] != "apply")) {
    return "expected report, or apply and the reports";
  }
  options.is_report = words[0] == "report";
  options.files.assign(words.begin() + 1, words.end());
  if (options.is_report && !options.files.empty()) return "report: expected nothing behind it";
  if (options.is_report && options.is_sure) return "report: --yes is for apply";
  if (!options.is_report && options.files.empty()) return "apply: expected the reports";
  return options;
}

// What goes wrong ends in one line.
struct RecoverError {
  std::string what;
};

class Recovery {
 public:
  Recovery(const RecoverOptions& options, Streams streams) : options_(options), streams_(streams) {}

  int run() {
    try {
      read_node();
      if (options_.is_report) {
        streams_.out << text_of(own_);
        return kSuccess;
      }
      read_reports();
      say_plan();
      if (is_nothing_to_do()) return kSuccess;
      if (!options_.is_sure) {
        streams_.out << "Nothing is changed yet: --yes does it.\n";
        return kSuccess;
      }
      apply();
      streams_.out << "Done. Start this node when all that are left are done.\n";
      return kSuccess;
    } catch (const RecoverError& error) {
      streams_.err << "shoal: recover: " << error.what << "\n";
      return kCannotRun;
    }
  }

 private:
  void read_node() {
    if (!std::filesystem::is_directory(options_.directory)) {
      throw RecoverError{options_.directory + ": is no directory"};
    }
    auto opened = DataDir::open(options_.directory);
    if (auto* error = std::get_if<std::string>(&opened)) throw RecoverError{*error};
    directory_.emplace(std::get<DataDir>(std::move(opened)));
    const std::string file = directory_->path_of(StateWriter::kFile);
    const auto content = directory_->read(StateWriter::kFile);
    if (const auto* error = std::get_if<std::string>(&content)) throw RecoverError{*error};
    const auto& text = std::get<std::optional<std::string>>(content);
    if (!text) throw RecoverError{file + ": is missing: no node has run with this directory"};
    auto state = state_of_text(*text);
    if (!state) throw RecoverError{file + ": is damaged"};
    state_ = *std::move(state);
    if (!state_.cluster || !state_.has_store) {
      throw RecoverError{options_.directory + ": the node has no part of a cluster yet"};
    }
    auto held = engine::held_replicas(options_.directory, state_.store.shards,
                                      store_seed(state_.cluster, state_.store));
    if (!held.ok()) throw RecoverError{std::string(held.status().message())};
    own_ = report_of(state_, *std::move(held));
  }

  void read_reports() {
    for (const std::string& file : options_.files) {
      std::ifstream in(file);
      std::ostringstream text;
      if (!in || !(text << in.rdbuf())) throw RecoverError{file + ": cannot be read"};
      auto report = report_of_text(text.str());
      if (const auto* wrong = std::get_if<std::string>(&report)) {
        throw RecoverError{file + ": " + *wrong};
      }
      reports_.push_back(std::get<NodeReport>(std::move(report)));
      check_own(file, reports_.back());
    }
    if (!has_own_) {
      throw RecoverError{"the report of this node, " + hex(own_.node.value) + ", is missing"};
    }
    auto plan = engine::plan_recovery(reports_, options_.files);
    if (const auto* wrong = std::get_if<std::string>(&plan)) throw RecoverError{*wrong};
    plan_ = std::get<RecoveryPlan>(std::move(plan));
  }

  // The state's own index may fall behind by itself, as what was not flushed is applied again.
  void check_own(const std::string& file, const NodeReport& report) {
    if (report.node != own_.node) return;
    has_own_ = true;
    const auto is_same = [](const engine::HeldReplica& a, const engine::HeldReplica& b) {
      return a.group == b.group && a.term == b.term && a.last == b.last;
    };
    const bool is_present = report.incarnation == own_.incarnation &&
                            std::equal(report.held.begin(), report.held.end(), own_.held.begin(),
                                       own_.held.end(), is_same);
    if (is_present) return;
    throw RecoverError{file + ": " + options_.directory +
                       " has changed since this report: the node ran, or this was done already"};
  }

  // ---- what it says

  std::string name_of(NodeId id) const {
    for (const NodeReport& report : reports_) {
      for (const StoredMember& member : report.members) {
        if (member.id == id) return member.name;
      }
    }
    return hex(id.value);
  }

  std::string names_of(const std::vector<NodeId>& ids) const {
    std::vector<std::string> sorted;
    for (const NodeId id : ids) sorted.push_back(name_of(id));
    std::sort(sorted.begin(), sorted.end());
    std::string names;
    for (const std::string& name : sorted) names += (names.empty() ? "" : ", ") + name;
    return names.empty() ? "none" : names;
  }

  bool is_nothing_to_do() const {
    return plan_.lost.empty() &&
           std::all_of(plan_.shards.begin(), plan_.shards.end(),
                       [](const ShardRecovery& each) { return each.kind == Kind::kWhole; });
  }

  void say_plan() const {
    std::ostream& out = streams_.out;
    out << "Left: " << names_of(plan_.survivors) << ". Removed for good: " << names_of(plan_.lost)
        << ".\n";
    for (const ShardRecovery& each : plan_.shards) {
      out << "shard " << each.shard << ": ";
      switch (each.kind) {
        case Kind::kWhole:
          out << "a majority of its replicas (" << names_of(each.voters)
              << ") is left: nothing is lost.\n";
          break;
        case Kind::kAlone:
          out << "goes on alone on " << name_of(each.node) << " from entry " << each.last
              << "; it was on " << names_of(each.voters)
              << ". What they acknowledged last, without it, is lost.\n";
          break;
        case Kind::kFounded:
          out << "NO REPLICA IS LEFT. It begins EMPTY on " << name_of(each.node)
              << ": its sessions and their messages are lost.\n";
          break;
      }
    }
    if (is_nothing_to_do()) out << "There is nothing to recover.\n";
  }

  // ---- what it does

  // The members first: without the rest the node starts as before, and this may be done again.
  void apply() {
    for (const NodeReport& report : reports_) {
      for (const StoredMember& member : report.members) merge(member);
    }
    if (const auto error = directory_->replace(StateWriter::kFile, state_text_of(state_))) {
      throw RecoverError{*error};
    }
    const absl::Status done = engine::recover(options_.directory, state_.id, plan_);
    if (!done.ok()) throw RecoverError{std::string(done.message())};
  }

  void merge(const StoredMember& heard) {
    const bool is_lost =
        std::find(plan_.lost.begin(), plan_.lost.end(), heard.id) != plan_.lost.end();
    const auto known = std::find_if(state_.members.begin(), state_.members.end(),
                                    [&heard](const auto& each) { return each.id == heard.id; });
    StoredMember member = known == state_.members.end() ? heard : *known;
    member.left = member.left || heard.left || is_lost;
    if (known != state_.members.end()) {
      *known = std::move(member);
      return;
    }
    state_.members.push_back(std::move(member));
    std::sort(state_.members.begin(), state_.members.end(),
              [](const StoredMember& a, const StoredMember& b) { return a.id < b.id; });
  }

  const RecoverOptions& options_;
  Streams streams_;
  std::optional<DataDir> directory_;
  StoredState state_;
  NodeReport own_;
  bool has_own_ = false;
  std::vector<NodeReport> reports_;
  RecoveryPlan plan_;
};

}  // namespace

int run_recover(const Args& args, Streams streams) {
  if (args.size() == 1 && (args[0] == "-h" || args[0] == "--help")) {
    streams.out << kRecoverUsage;
    return kSuccess;
  }
  const auto options = recover_options_of(args);
  if (const auto* error = std::get_if<std::string>(&options)) {
    streams.err << "shoal: recover: " << *error << "\n" << kRecoverUsage;
    return kUsage;
  }
  return Recovery(std::get<RecoverOptions>(options), streams).run();
}

}  // namespace shoal
