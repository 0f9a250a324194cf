// Backups in a directory of this machine, or of one that is mounted here.
#pragma once

#include "node/client/backup/target.h"

namespace shoal::backup {

// The directory is made with the first object.
std::unique_ptr<Target> make_directory_target(const std::string& directory);

}  // namespace shoal::backup
