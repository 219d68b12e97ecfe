#pragma once
SIXTEEN_BITS(bfloat16)
