"""BatchNorm moves into the weights of the convolution or product before it."""

import onnx_ir as ir


class FoldBatchNorm(ir.passes.InPlacePass):
    """γ·(w * h - μ)/σ + β = (γ/σ·w) * h + (β - γ·μ/σ): a runtime folds it in float32, in integers nobody does.

    Done for Conv and Gemm whose only reader is the BatchNormalization; others stay. The rules are onnxscript's.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Fold in place."""
        # Half a second that only this pass needs.
        from onnxscript.rewriter import RewritePass, RewriteRuleSet
        from onnxscript.rewriter.rules.common import fuse_batchnorm_into_conv_rule, fuse_batchnorm_into_gemm_rule

        rules = RewriteRuleSet([fuse_batchnorm_into_conv_rule, fuse_batchnorm_into_gemm_rule])
        result = RewritePass(rules)(model)
        return ir.passes.PassResult(model, modified=result.modified)
