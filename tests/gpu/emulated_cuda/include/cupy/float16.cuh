#pragma once
SIXTEEN_BITS(float16)
