"""What of the mapped operators is not run, by the reason: what is raised, and the tests' names.

    LEFT[exception, part of its message] = names of tests
"""

from tests.ops.onnx_moves import NotOffered

MAPPED = """
Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh Attention AveragePool BatchNormalization
BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike CausalConvWithState Ceil Celu
CenterCropPad Clip Compress Concat Constant ConstantOfShape Conv ConvTranspose Cos Cosh CumProd
CumSum DepthToSpace DequantizeLinear Div Dropout Einsum Elu Equal Erf Exp Expand EyeLike Flatten
Floor Gather GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalMaxPool Greater
GreaterOrEqual GroupNormalization HardSigmoid HardSwish Hardmax Identity InstanceNormalization IsInf
IsNaN LRN LSTM LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax LpNormalization MatMul
MatMulInteger Max MaxPool Mean MeanVarianceNormalization Min Mish Mod Mul Neg
NegativeLogLikelihoodLoss NonZero Not OneHot Or PRelu Pad Pow QLinearMatMul QuantizeLinear
RMSNormalization RNN Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax
ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Round Scatter ScatterElements
ScatterND Selu Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax SoftmaxCrossEntropyLoss
Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum SwiGLU Swish Tan Tanh ThresholdedRelu Tile
TopK Transpose Trilu Unsqueeze Upsample Where Xor
"""

LEFT = {
    (NotOffered, "a dtype that minigrad does not have"): """
        cast_FLOAT_to_FLOAT8E4M3FN cast_FLOAT16_to_FLOAT8E4M3FN cast_FLOAT_to_FLOAT8E4M3FNUZ
        cast_FLOAT16_to_FLOAT8E4M3FNUZ cast_FLOAT8E4M3FN_to_FLOAT cast_FLOAT8E4M3FN_to_FLOAT16
        cast_FLOAT8E4M3FNUZ_to_FLOAT cast_FLOAT8E4M3FNUZ_to_FLOAT16 cast_FLOAT_to_FLOAT8E5M2
        cast_FLOAT16_to_FLOAT8E5M2 cast_FLOAT_to_FLOAT8E5M2FNUZ cast_FLOAT16_to_FLOAT8E5M2FNUZ
        cast_FLOAT8E5M2_to_FLOAT cast_FLOAT8E5M2_to_FLOAT16 cast_FLOAT8E5M2FNUZ_to_FLOAT
        cast_FLOAT8E5M2FNUZ_to_FLOAT16 cast_FLOAT_to_UINT4 cast_FLOAT16_to_UINT4
        cast_FLOAT_to_INT4 cast_FLOAT16_to_INT4 cast_UINT4_to_FLOAT cast_UINT4_to_FLOAT16
        cast_UINT4_to_UINT8 cast_INT4_to_FLOAT cast_INT4_to_FLOAT16 cast_INT4_to_INT8
        cast_FLOAT4E2M1_to_FLOAT cast_FLOAT4E2M1_to_FLOAT16 cast_FLOAT_to_FLOAT4E2M1
        cast_FLOAT16_to_FLOAT4E2M1 cast_FLOAT_to_UINT2 cast_FLOAT16_to_UINT2 cast_FLOAT_to_INT2
        cast_FLOAT16_to_INT2 cast_UINT2_to_FLOAT cast_UINT2_to_FLOAT16 cast_UINT2_to_UINT8
        cast_INT2_to_FLOAT cast_INT2_to_FLOAT16 cast_INT2_to_INT8
        cast_no_saturate_FLOAT_to_FLOAT8E4M3FN cast_no_saturate_FLOAT_to_FLOAT8E4M3FNUZ
        cast_no_saturate_FLOAT_to_FLOAT8E5M2 cast_no_saturate_FLOAT_to_FLOAT8E5M2FNUZ
        cast_no_saturate_FLOAT16_to_FLOAT8E4M3FN cast_no_saturate_FLOAT16_to_FLOAT8E4M3FNUZ
        cast_no_saturate_FLOAT16_to_FLOAT8E5M2 cast_no_saturate_FLOAT16_to_FLOAT8E5M2FNUZ
        cast_e8m0_FLOAT_to_FLOAT8E8M0 cast_e8m0_FLOAT16_to_FLOAT8E8M0
        cast_e8m0_FLOAT8E8M0_to_FLOAT cast_e8m0_FLOAT8E8M0_to_FLOAT16
        castlike_FLOAT_to_FLOAT8E4M3FN castlike_FLOAT_to_FLOAT8E4M3FN_expanded
        castlike_FLOAT16_to_FLOAT8E4M3FN castlike_FLOAT16_to_FLOAT8E4M3FN_expanded
        castlike_FLOAT_to_FLOAT8E4M3FNUZ castlike_FLOAT_to_FLOAT8E4M3FNUZ_expanded
        castlike_FLOAT16_to_FLOAT8E4M3FNUZ castlike_FLOAT16_to_FLOAT8E4M3FNUZ_expanded
        castlike_FLOAT8E4M3FN_to_FLOAT castlike_FLOAT8E4M3FN_to_FLOAT_expanded
        castlike_FLOAT8E4M3FN_to_FLOAT16 castlike_FLOAT8E4M3FN_to_FLOAT16_expanded
        castlike_FLOAT8E4M3FNUZ_to_FLOAT castlike_FLOAT8E4M3FNUZ_to_FLOAT_expanded
        castlike_FLOAT8E4M3FNUZ_to_FLOAT16 castlike_FLOAT8E4M3FNUZ_to_FLOAT16_expanded
        castlike_FLOAT_to_FLOAT8E5M2 castlike_FLOAT_to_FLOAT8E5M2_expanded
        castlike_FLOAT16_to_FLOAT8E5M2 castlike_FLOAT16_to_FLOAT8E5M2_expanded
        castlike_FLOAT_to_FLOAT8E5M2FNUZ castlike_FLOAT_to_FLOAT8E5M2FNUZ_expanded
        castlike_FLOAT16_to_FLOAT8E5M2FNUZ castlike_FLOAT16_to_FLOAT8E5M2FNUZ_expanded
        castlike_FLOAT8E5M2_to_FLOAT castlike_FLOAT8E5M2_to_FLOAT_expanded
        castlike_FLOAT8E5M2_to_FLOAT16 castlike_FLOAT8E5M2_to_FLOAT16_expanded
        castlike_FLOAT8E5M2FNUZ_to_FLOAT castlike_FLOAT8E5M2FNUZ_to_FLOAT_expanded
        castlike_FLOAT8E5M2FNUZ_to_FLOAT16 castlike_FLOAT8E5M2FNUZ_to_FLOAT16_expanded
        castlike_FLOAT_to_UINT4 castlike_FLOAT_to_UINT4_expanded castlike_FLOAT16_to_UINT4
        castlike_FLOAT16_to_UINT4_expanded castlike_FLOAT_to_INT4
        castlike_FLOAT_to_INT4_expanded castlike_FLOAT16_to_INT4
        castlike_FLOAT16_to_INT4_expanded castlike_UINT4_to_FLOAT
        castlike_UINT4_to_FLOAT_expanded castlike_UINT4_to_FLOAT16
        castlike_UINT4_to_FLOAT16_expanded castlike_UINT4_to_UINT8
        castlike_UINT4_to_UINT8_expanded castlike_INT4_to_FLOAT castlike_INT4_to_FLOAT_expanded
        castlike_INT4_to_FLOAT16 castlike_INT4_to_FLOAT16_expanded castlike_INT4_to_INT8
        castlike_INT4_to_INT8_expanded castlike_FLOAT4E2M1_to_FLOAT
        castlike_FLOAT4E2M1_to_FLOAT_expanded castlike_FLOAT4E2M1_to_FLOAT16
        castlike_FLOAT4E2M1_to_FLOAT16_expanded castlike_FLOAT_to_FLOAT4E2M1
        castlike_FLOAT_to_FLOAT4E2M1_expanded castlike_FLOAT16_to_FLOAT4E2M1
        castlike_FLOAT16_to_FLOAT4E2M1_expanded castlike_FLOAT_to_UINT2
        castlike_FLOAT_to_UINT2_expanded castlike_FLOAT16_to_UINT2
        castlike_FLOAT16_to_UINT2_expanded castlike_FLOAT_to_INT2
        castlike_FLOAT_to_INT2_expanded castlike_FLOAT16_to_INT2
        castlike_FLOAT16_to_INT2_expanded castlike_UINT2_to_FLOAT
        castlike_UINT2_to_FLOAT_expanded castlike_UINT2_to_FLOAT16
        castlike_UINT2_to_FLOAT16_expanded castlike_UINT2_to_UINT8
        castlike_UINT2_to_UINT8_expanded castlike_INT2_to_FLOAT castlike_INT2_to_FLOAT_expanded
        castlike_INT2_to_FLOAT16 castlike_INT2_to_FLOAT16_expanded castlike_INT2_to_INT8
        castlike_INT2_to_INT8_expanded castlike_no_saturate_FLOAT_to_FLOAT8E4M3FN
        castlike_no_saturate_FLOAT_to_FLOAT8E4M3FN_expanded
        castlike_no_saturate_FLOAT_to_FLOAT8E4M3FNUZ
        castlike_no_saturate_FLOAT_to_FLOAT8E4M3FNUZ_expanded
        castlike_no_saturate_FLOAT_to_FLOAT8E5M2
        castlike_no_saturate_FLOAT_to_FLOAT8E5M2_expanded
        castlike_no_saturate_FLOAT_to_FLOAT8E5M2FNUZ
        castlike_no_saturate_FLOAT_to_FLOAT8E5M2FNUZ_expanded
        castlike_no_saturate_FLOAT16_to_FLOAT8E4M3FN
        castlike_no_saturate_FLOAT16_to_FLOAT8E4M3FN_expanded
        castlike_no_saturate_FLOAT16_to_FLOAT8E4M3FNUZ
        castlike_no_saturate_FLOAT16_to_FLOAT8E4M3FNUZ_expanded
        castlike_no_saturate_FLOAT16_to_FLOAT8E5M2
        castlike_no_saturate_FLOAT16_to_FLOAT8E5M2_expanded
        castlike_no_saturate_FLOAT16_to_FLOAT8E5M2FNUZ
        castlike_no_saturate_FLOAT16_to_FLOAT8E5M2FNUZ_expanded dequantizelinear_e4m3fn
        dequantizelinear_e4m3fn_float16 dequantizelinear_e4m3fn_zero_point dequantizelinear_e5m2
        dequantizelinear_uint4 dequantizelinear_int4 dequantizelinear_uint2
        dequantizelinear_int2 dequantizelinear_float4e2m1 equal_string equal_string_broadcast
        quantizelinear_e4m3fn quantizelinear_e5m2 quantizelinear_uint4 quantizelinear_int4
        quantizelinear_uint2 quantizelinear_int2 quantizelinear_float4e2m1""".split(),
    (NotOffered, "an output that minigrad does not give"): """
        attention_4d_with_qk_matmul attention_4d_with_qk_matmul_bias
        attention_4d_with_qk_matmul_softmax attention_4d_with_past_and_present_qk_matmul_bias
        attention_4d_with_past_and_present_qk_matmul_bias_3d_mask
        attention_4d_with_past_and_present_qk_matmul_bias_4d_mask
        attention_4d_with_past_and_present_qk_matmul_bias_3d_mask_causal
        attention_4d_with_past_and_present_qk_matmul_bias_4d_mask_causal
        attention_4d_with_past_and_present_qk_matmul
        attention_3d_with_past_and_present_qk_matmul
        attention_3d_with_past_and_present_qk_matmul_bias
        attention_3d_with_past_and_present_qk_matmul_softmax
        attention_23_fullymasked_qk_matmul_output_mode3_zero
        attention_24_fullymasked_qk_matmul_output_mode3_zero
        attention_24_qk_matmul_output_mode3_softmax_precision""".split(),
    (NotOffered, "scores that tanh keeps small"): """
        attention_4d_softcap attention_4d_gqa_softcap attention_4d_diff_heads_sizes_softcap
        attention_4d_with_qk_matmul_softcap attention_3d_softcap attention_3d_gqa_softcap
        attention_3d_diff_heads_sizes_softcap
        attention_3d_with_past_and_present_qk_matmul_softcap attention_4d_softcap_neginf_mask
        attention_4d_softcap_neginf_mask_poison
        attention_local_window_gqa_rank4_mask""".split(),
    (NotOffered, "scattered elements that add up"): """
        scatter_elements_with_reduction_mul scatter_elements_with_reduction_max
        scatter_elements_with_reduction_min scatternd_add scatternd_multiply scatternd_max
        scatternd_min scatternd_max_with_element_indices
        scatternd_min_with_element_indices""".split(),
    (NotOffered, "windows over three axes"): """
        averagepool_3d_default convtranspose_3d maxpool_3d_default maxpool_3d_dilations
        maxpool_3d_dilations_use_ref_impl maxpool_3d_dilations_use_ref_impl_large""".split(),
    (NotOffered, "means of dilated windows"): """
        averagepool_2d_dilations averagepool_3d_dilations_small
        averagepool_3d_dilations_large_count_include_pad_is_0_ceil_mode_is_True
        averagepool_3d_dilations_large_count_include_pad_is_0_ceil_mode_is_False
        averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True
        averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_False""".split(),
    (NotOffered, "attention that rounds bfloat16 after each step"): """
        attention_4d_causal_bf16 attention_4d_padded_kv_bf16 attention_4d_causal_padded_kv_bf16
        attention_4d_attn_mask_causal_bf16 attention_3d_causal_bf16""".split(),
    (NotOffered, "padding by the name SAME_UPPER"): """
        averagepool_2d_precomputed_same_upper averagepool_2d_same_upper
        maxpool_2d_precomputed_same_upper maxpool_2d_same_upper""".split(),
    (NotOffered, "dropout in training: the mask depends on the generator"): """
        training_dropout_default training_dropout_default_mask training_dropout
        training_dropout_mask""".split(),
    (NotOffered, "padding by the name SAME_LOWER"): """
        averagepool_2d_same_lower conv_with_autopad_same maxpool_2d_same_lower""".split(),
    (NotOffered, "padding that follows from the output's size"): """
        convtranspose_output_shape convtranspose_kernel_shape
        convtranspose_autopad_same""".split(),
    (NotOffered, "split into a number of parts that the node does not name"): """
        split_equal_parts_1d_opset13 split_equal_parts_2d_opset13
        split_equal_parts_default_axis_opset13""".split(),
    (NotOffered, "sequences and optional values"): """
        identity_sequence identity_opt""".split(),
    (NotOffered, "indices for each member of a batch"): """
        gathernd_example_int32_batch_dim1""".split(),
    (NotOffered, "peepholes and sequences of unequal lengths"): """
        lstm_with_peepholes""".split(),
    (NotOffered, "places counted down the columns"): """
        maxpool_with_argmax_2d_precomputed_strides""".split(),
    (NotOffered, "a batch of scans"): """
        scan_sum""".split(),
    # The rest is refused by minigrad itself: windows that may lie in the padding alone and the
    # largest of no elements, as by PyTorch, and integers to be pooled.
    (ValueError, "avg_pool2d: padding must be at most half of kernel_size"): """
        averagepool_2d_pads averagepool_2d_pads_count_include_pad""".split(),
    (IndexError, "amax: dim 1 of shape (2, 0, 4) has no elements"): """
        reduce_max_empty_set reduce_max_empty_set_bool""".split(),
    (TypeError, "max_pool2d: needs a floating-point input"): """
        maxpool_2d_uint8""".split(),
    (ValueError, "max_pool2d: padding must be at most half of kernel_size"): """
        maxpool_2d_pads""".split(),
    (IndexError, "amin: dim 1 of shape (2, 0, 4) has no elements"): """
        reduce_min_empty_set""".split(),
}

LEFT = {key: [f"test_{name}" for name in names] for key, names in LEFT.items()}
