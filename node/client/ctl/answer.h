// What a node answered, as `shoal ctl` sees it.
#pragma once

#include <boost/json.hpp>
#include <string>

#include "node/client/ctl/admin_client.h"

namespace shoal::ctl {

struct Answer {
  boost::json::value value;
  std::string failure;  // empty: there is an answer
};

Answer answer_of(const AdminReply& reply);

// For people.
std::string text_of(const boost::json::value& value);

// Says what is wrong; the exit status.
int fail(const std::string& text);

}  // namespace shoal::ctl
