#pragma once

namespace svd::pipeline {

/// CPU threads that are worth using: the cores that this process may run on (not their hardware
/// threads, which share the units that matrix products keep busy), at most what its control group
/// may use of them. At least 1.
int default_threads();

}  // namespace svd::pipeline
