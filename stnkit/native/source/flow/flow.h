// The flow of piecewise affine velocity fields on the CPU: forward and backward, in float and double.
#pragma once
#include "problem.h"
#include "affine.h"
#include "walk.h"
#include "forward.h"
#include "backward.h"
