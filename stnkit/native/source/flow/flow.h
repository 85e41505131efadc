// The flow of piecewise affine velocity fields on the CPU: forward and backward, in float and double.
#pragma once
#include "problem.h"
#include "lanes.h"
#include "affine.h"
#include "regions.h"
#include "path.h"
#include "exits.h"
#include "walk.h"
#include "stays.h"
#include "forward.h"
#include "trail.h"
#include "backward.h"
