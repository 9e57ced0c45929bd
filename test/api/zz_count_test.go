package api_test
import ("testing";"fmt")
func TestZZ(t *testing.T){ n,c,k:=0,0,0; for _,d:=range definitions(t){ vs:=validationsOf(&d); n+=len(vs); }
 for _,f:=range fixtures(){k+=len(f.refused)}
 for _,d:=range definitions(t){ everyRule(d.Spec.Versions[0].Schema.OpenAPIV3Schema, func(string){c++})}
 fmt.Println("validations",n,"cel",c,"cases",k)}
