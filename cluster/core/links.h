// The links of this node and the addresses that it dials: seeds, members, and what other nodes have
// met while no cluster is founded. A refused or broken dial is tried again, less and less often up
// to once a second.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "cluster/core/context.h"
#include "shoal/types.h"

namespace shoal {

struct Link {
  LinkId id = 0;
  bool up = false;
  bool dialled = false;  // by us
  std::string address;
  NodeId peer;  // from its hello on
  Instant since{};
  Instant last_heard{};
};

class Links {
 public:
  explicit Links(Context& context) : context_(context) {}

  Link* find(LinkId id);
  const std::map<LinkId, Link>& all() const { return links_; }
  Link& on_up(LinkId id, bool dialled_by_us, std::string address);
  // Gone, by itself.
  void on_down(LinkId id, const std::string& why);
  // Given up by us: `why` is for people.
  void close(LinkId id, std::string why);
  // Whose address that of a dialled link is.
  void on_identified(const Link& link);
  // The link is used: its address is good.
  void on_chosen(const Link& link);
  // This process stood still: what it did not hear meanwhile may be on its way.
  void on_stall();

  // Want a link to this address. Again and again is fine.
  void add_target(const std::string& address);
  // Dials what is due and wanted. `node` is whom the address led to last, zero when nobody knows.
  void dial(const std::function<bool(const std::string& address, NodeId node)>& is_wanted);
  // Closes links that nothing came from for `silence`, and dials and hellos that take too long.
  // Appends those that were up.
  void close_silent(Duration silence, std::vector<Link>& closed);

 private:
  struct Target {
    Instant next_try{};
    int failures = 0;
    LinkId link = 0;
    NodeId leads_to;
  };
  void forget(LinkId id);
  void back_off(const std::string& address);

  Context& context_;
  std::map<LinkId, Link> links_;
  std::map<std::string, Target> targets_;
  LinkId last_dialled_ = 0;
};

}  // namespace shoal
